"""CONTRIBUTING lists each field that a definition file may have."""

import re

import pytest
from pydantic import BaseModel

from palate.marts.counted_mart import CountedMart, Label, Reference
from palate.marts.models import ByKeyMart, CopiedTo
from palate.marts.totals import Totals
from palate.names import SQL_FOLDER
from palate.sources.shape_file import ShapeForm, ShapeKind, ShapeType
from palate.sources.tables_file import TableFile, TablesFile
from palate.vault.kinds import Hub, Link, PayloadColumn, Satellite

GUIDE = (SQL_FOLDER.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _listed(head: str) -> dict[str, str]:
    """Return the rows of the table with this head: the field, and the rest."""
    _, _, rest = GUIDE.partition(f"| {head} |")
    table, _, _ = rest.partition("\n\n")
    return dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", table, re.MULTILINE))


def _fields(model: type[BaseModel], *left_out: str, within: str = "") -> set[str]:
    return {
        within + (field.alias or name)
        for name, field in model.model_fields.items()
        if name not in left_out
    }


@pytest.mark.parametrize(
    ("model", "kind"), [(CountedMart, "contributions"), (ByKeyMart, "by_key")]
)
def test_each_field_of_a_mart_is_listed(model: type[BaseModel], kind: str) -> None:
    fields = _fields(model, "name", "area", "contributions")
    if model is CountedMart:
        fields -= {"copied_to"}  # it may only be left out
        fields |= _fields(Label, within="label.")
        fields |= _fields(Reference, within="reference.")
        fields |= _fields(Totals, within="totals.")
    else:
        fields -= {"tag_kind"}
        fields |= _fields(CopiedTo, within="copied_to.")
    listed = _listed("field of `mart.yaml`")
    assert _mine(listed, ("both", kind)) == fields


@pytest.mark.parametrize(
    ("model", "kind"), [(Hub, "hub"), (Link, "link"), (Satellite, "satellite")]
)
def test_each_field_of_a_vault_table_is_listed(
    model: type[BaseModel], kind: str
) -> None:
    fields = _fields(model, "kind", "table", "area")
    if model is Satellite:
        fields |= _fields(PayloadColumn, within="payload.<name>.")
    assert _mine(_listed("field of a vault table"), ("all", kind)) == fields


def test_each_field_of_a_shape_is_listed() -> None:
    assert _listed("field of `shape.yaml`").keys() == (
        _fields(ShapeKind, within="kind.")
        | _fields(ShapeType, within="types.<name>.")
        | _fields(ShapeForm, within="forms.<form>.")
    )


def test_each_field_of_changed_tables_is_listed() -> None:
    assert _listed("field of `tables.yaml`").keys() == (
        _fields(TablesFile, "tables") | _fields(TableFile, within="tables.<name>.")
    )


def _mine(listed: dict[str, str], kinds: tuple[str, str]) -> set[str]:
    return {name for name, rest in listed.items() if rest.partition(" | ")[0] in kinds}

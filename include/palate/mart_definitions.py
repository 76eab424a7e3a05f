"""The marts, as their folders below ``sql/cdm`` say (ADR 0005)."""

from functools import lru_cache
from pathlib import Path
from textwrap import indent
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palate.errors import DefinitionError
from palate.names import SQL_FOLDER
from palate.render import Step, render, step

# Judge the tags of every guest anew, where a change of a mart may concern any of them.
ALL_TAGS_WAIT = "INSERT INTO ops.tags_waiting DEFAULT VALUES"


class Label(BaseModel):
    """Where a mart's rows take the name from that people read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    table: str
    key: str


class Reference(BaseModel):
    """What a mart looks up beside the orders, kept as it was when it was counted.

    ``changes`` says what a change of it means: orders to count anew, or labels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    columns: dict[str, str]
    key: tuple[str, ...]
    changes: Literal["orders", "labels"]


class Mart(BaseModel):
    """A mart, as its folder below ``sql/cdm`` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str = Field(min_length=10)
    keys: tuple[str, str]
    label: Label
    reference: Reference
    fillfactor: int = Field(ge=50, le=100)
    tag_kind: Literal["product", "category"] | None = None

    @property
    def stage(self) -> str:
        """Return the name of the stage that keeps the mart."""
        return f"mart:{self.name}"

    def query(self, file: str, **values: Any) -> str:
        """Return a query of the mart's own folder."""
        return render(f"cdm/{self.name}/{file}.sql", **values)

    def shared(self, file: str, **values: Any) -> str:
        """Return a query that all marts share, for this one."""
        return render(_template(file), **self._names(), **values)

    def step(self, file: str, name: str | None = None, **values: Any) -> Step:
        """Return a statement that all marts share, for this one.

        :param name: what it is counted by; without one, what it makes
        """
        return step(_template(file), name, **self._names(), **values)

    def _names(self) -> dict[str, Any]:
        return {
            "mart": self.name,
            "keys": list(self.keys),
            "label": self.label,
            "changes": self.reference.changes,
            "tag_kind": self.tag_kind,
            "reference_table": self.reference.table,
            "reference_columns": list(self.reference.columns),
            "reference_key": list(self.reference.key),
        }

    def recomputed(self) -> str:
        """Return the query for the whole mart as it follows from the vault."""
        if self.label.table == f"cdm.{self.reference.table}":
            label_query = self.query("reference", products=None)
        else:
            label_query = (
                f"SELECT\n    {self.label.key},\n    {self.label.column}\n"
                f"FROM {self.label.table}"
            )
        return self.shared(
            "recomputed",
            all_contributions=self.query(
                "contributions",
                orders=_subquery(self.shared("all_orders")),
                reference=_subquery(self.query("reference", products=None)),
            ),
            label_query=label_query,
            label_key=self.label.key,
        )


@lru_cache(maxsize=2)
def load_marts(folder: Path = SQL_FOLDER / "cdm") -> dict[str, Mart]:
    """Read the definition of every mart.

    :raises DefinitionError: names the file, the field and what to do
    """
    return {
        path.parent.name: _read(path) for path in sorted(folder.glob("*/mart.yaml"))
    }


def _read(path: Path) -> Mart:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Mart.model_validate(values | {"name": path.parent.name})
    except (yaml.YAMLError, TypeError) as error:
        message = f"{path}: this is no mapping in YAML: {' '.join(str(error).split())}"
        raise DefinitionError(message) from None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        message = f"{path}: {problems}. See CONTRIBUTING.md for the fields of a mart."
        raise DefinitionError(message) from None


def _template(file: str) -> str:
    return f"cdm/_templates/{file}.sql"


def _subquery(query: str) -> str:
    return f"(\n{indent(query, '    ')}\n)"

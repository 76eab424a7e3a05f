"""What an area's marts count, from its file: read, and refused with a sentence."""

import shutil
from pathlib import Path

import pytest

from palate.errors import DefinitionError
from palate.marts.contributions import load_contributions
from palate.marts.definitions import load_marts
from palate.names import AREAS_FOLDER, SQL_FOLDER
from palate.sources import catalog

FILE = "contributions/contributions.yaml"


def test_columns_of_a_counted_order_are_those_of_the_file() -> None:
    counted = load_contributions(AREAS_FOLDER / "food").counted(("status", "cost"))
    assert list(counted.items()) == [
        ("order_id", "bigint"),
        ("h_user_pk", "uuid"),
        ("version_dt", "timestamp"),
        ("hk_order_item_hashdiff", "uuid"),
        ("status", 'text COLLATE "C"'),
        ("cost", "numeric"),
        ("order_dt", "timestamp"),
    ]


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("order_id: bigint", "number: bigint", "of_version begins with order_id"),
        ("of_order:", "versions: s_order_version\nof_order:", "versions: Extra inputs"),
        ("nullable: [hk", "nullable: [kh", "neither of_version nor of_order has kh"),
        ("guest: {key", "guests: {key", "guest: Field required"),
        ("labels:", "names:", "'orders' or 'labels'"),
        ("guest: {", "- a list", "this is no YAML"),
    ],
)
def test_file_that_can_not_be_meant_is_refused_by_its_name(
    tmp_path: Path, was: str, becomes: str, told: str
) -> None:
    text = (AREAS_FOLDER / "food" / FILE).read_text(encoding="utf-8")
    assert was in text
    file = tmp_path / "food" / FILE
    file.parent.mkdir(parents=True)
    file.write_text(text.replace(was, becomes), encoding="utf-8")
    with pytest.raises(DefinitionError) as found:
        load_contributions(tmp_path / "food")
    assert str(file) in str(found.value)
    assert told in str(found.value)


@pytest.mark.parametrize("rows", [None, "h_order", "s_odrer_version"])
def test_area_must_name_the_satellite_whose_rows_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: str | None
) -> None:
    area = catalog.load_area("food").model_copy(update={"rows": rows})
    monkeypatch.setattr(catalog, "load_area", lambda name: area)
    shutil.copytree(AREAS_FOLDER / "food" / "contributions", tmp_path / "contributions")
    with pytest.raises(DefinitionError, match=f"`rows`: {rows or 'nothing'}, which"):
        load_contributions(tmp_path)


def test_area_whose_marts_count_nothing_known_is_refused(tmp_path: Path) -> None:
    mart = Path("cdm") / "user_product_counters"
    shutil.copytree(SQL_FOLDER / "areas" / "food" / mart, tmp_path / "shop" / mart)
    with pytest.raises(DefinitionError, match="shop count contributions"):
        load_marts(folder=tmp_path)

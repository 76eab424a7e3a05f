"""Totals of a mart, from its file: what can't be summed up is refused."""

import shutil
from pathlib import Path

import pytest

from palate.errors import DefinitionError
from palate.marts.definitions import load_marts
from palate.names import AREAS_FOLDER

MART = "user_product_counters"


def _copy(folder: Path) -> Path:
    for name in ("contributions", "cdm"):
        shutil.copytree(AREAS_FOLDER / "food" / name, folder / "food" / name)
    return folder / "food" / "cdm" / MART / "mart.yaml"


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        (
            "of: rows\n    keys: [product_id]",
            "of: rows\n    keys: [user_id, product_id]",
            "names user_id, but there are product_id, order_date, restaurant_id",
        ),
        (
            "of: rows\n    keys: [product_id]",
            "of: rows\n    keys: [order_date]",
            "is of rows: then its keys are product_id, without a guest",
        ),
        (
            "of: orders\n    keys: [order_date, restaurant_id, product_id]",
            "of: orders\n    keys: [product_id]",
            "is of orders: then its keys are some of order_date, restaurant_id",
        ),
        (
            "of: orders\n    keys: [order_date, restaurant_id]",
            "of: guests\n    keys: [order_date, restaurant_id]",
            "is of guests: then it has one key of order_date, restaurant_id",
        ),
        ("table: order_days", "table: product_days", "product_days is a table"),
        ("table: order_days", "table: category_days", "has a table category_days"),
        ("of: rows", "of: guest", "totals.0.of: Input should be 'rows', 'orders'"),
    ],
)
def test_totals_that_can_not_be_summed_are_refused(
    tmp_path: Path, was: str, becomes: str, told: str
) -> None:
    file = _copy(tmp_path)
    text = file.read_text(encoding="utf-8")
    assert was in text
    file.write_text(text.replace(was, becomes), encoding="utf-8")

    with pytest.raises(DefinitionError) as found:
        load_marts(folder=tmp_path)

    assert str(file) in str(found.value)
    assert told in str(found.value)


def test_file_that_is_there_is_accepted(tmp_path: Path) -> None:
    _copy(tmp_path)
    assert MART in load_marts(folder=tmp_path)


def test_orders_are_summed_by_columns_that_they_have(tmp_path: Path) -> None:
    _copy(tmp_path)
    file = tmp_path / "food" / "contributions" / "contributions.yaml"
    text = file.read_text(encoding="utf-8").replace(
        "column: h_restaurant_pk", "column: x"
    )
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match="by: an order has no x"):
        load_marts(folder=tmp_path)

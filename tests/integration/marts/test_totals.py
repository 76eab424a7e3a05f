"""Totals of marts: made for a mart that was there before, mended, dropped with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from palate import tags
from palate.checks.run import reconcile
from palate.marts import kept_totals, kinds, meaning, refresh
from palate.marts import stage as marts
from palate.marts.counted_mart import CountedMart
from palate.marts.definitions import load_marts
from palate.marts.totals import Totals
from palate.schema.migrate import migrate
from palate.settings import Settings
from palate.tables import removal
from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.emptied import Emptied
from tests.integration.staged import caller, load, stage_messages
from tests.model.history import Message
from tests.model.oracle import key
from tests.unit.model.stories import DAY_1, DAY_2, line, raw

PRODUCTS, CATEGORIES = "user_product_counters", "user_category_counters"
MARTS = (PRODUCTS, CATEGORIES)
ORDERS = [
    raw(1, [line("soup"), line("cake", 2)], user="ann", restaurant="r1"),
    raw(2, [line("soup")], user="bob", restaurant="r1", date=DAY_2, update_ts=DAY_2),
    raw(3, [line("cake", 2)], user="ann", restaurant="r2", date=DAY_2, update_ts=DAY_2),
]
TABLES = {
    "product_totals": "product_id, guest_cnt, order_cnt, pieces_cnt",
    "order_days": "order_date::text, order_cnt, pieces_cnt",
    "guest_days": "order_date::text, guest_cnt, new_guest_cnt",
}
TOTALS = {
    "product_totals": sorted([(key("cake"), 1, 2, 4), (key("soup"), 2, 2, 2)]),
    "order_days": [("2023-08-01", 1, 3), ("2023-08-02", 1, 1), ("2023-08-02", 1, 2)],
    "guest_days": [("2023-08-01", 1, 1), ("2023-08-02", 2, 1)],
}


@pytest.fixture
def shop(emptied: Emptied) -> Emptied:
    """Give a warehouse that has counted three orders."""
    emptied.empty()
    _stage(emptied, ORDERS)
    load(emptied.settings, "first")
    return emptied


def _stage(shop: Emptied, messages: list[Message]) -> None:
    (start,) = shop.conn.execute(
        "SELECT coalesce(max(next_offset), 0) FROM ops.watermarks WHERE stage = 'drain'"
    ).fetchone() or (0,)
    numbered = [replace(one, offset=start + n) for n, one in enumerate(messages)]
    stage_messages(shop.conn, numbered)


def _totals(shop: Emptied) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: sorted(
            shop.conn.execute(f"SELECT {columns} FROM cdm.{table}").fetchall()
        )
        for table, columns in TABLES.items()
    }


def _wrong(settings: Settings) -> dict[str, list[str]]:
    """Return the tables of totals that ``reconcile`` finds wrong, by mart."""
    return {
        result.subject: sorted({row["totals"] for row in result.examples})
        for result in reconcile(settings)
        if result.check == "totals/equal_the_mart" and result.found
    }


@contextmanager
def _declared(name: str, *totals: Totals) -> Iterator[None]:
    """Let a mart's folder have these totals."""
    mart = load_marts("food")[name].model_copy(update={"totals": totals})
    _forget()
    with pytest.MonkeyPatch.context() as patch:
        for marts_of in (load_marts(), load_marts(mart.area)):
            patch.setitem(marts_of, name, mart)
        yield
    _forget()


def _forget() -> None:
    for cached in (
        *(kinds.of, kept_totals.comparison, meaning.of_mart),
        *(refresh.refresh_statements, tags.marts),
    ):
        cached.cache_clear()


def test_totals_are_the_sums_of_the_mart(shop: Emptied) -> None:
    assert _totals(shop) == TOTALS
    assert _wrong(shop.settings) == {}


def test_older_warehouse_gets_its_totals_filled_from_the_mart(shop: Emptied) -> None:
    def before() -> dict[str, list[tuple[Any, ...]]]:
        return {
            name: shop.conn.execute(
                f"SELECT * FROM cdm.{name} ORDER BY 1, 2"
            ).fetchall()
            for name in MARTS
        }

    rows = before()
    # What a warehouse without totals has.
    for name in MARTS:
        (made,) = (one for one in removal.all_made(shop.conn) if one.name == name)
        removal.drop_totals(shop.conn, made, made.totals)
        shop.conn.execute(f"ALTER TABLE cdm.{name}_counted DROP COLUMN h_restaurant_pk")
    shop.conn.execute("DELETE FROM ops.totals")
    # Two messages of one time: which restaurant was counted, the rank says.
    late = raw(3, [line("cake", 2)], user="ann", restaurant="r9", date=DAY_2,
               update_ts=DAY_2, sent_dttm=DAY_2)  # fmt: skip
    _stage(shop, [late])
    vault.run(shop.settings, FOOD, caller("vault", "late"))

    made = migrate(shop.settings)

    assert set(made) == {
        one.table
        for name in MARTS
        for one in _counted(name).totals
    }  # fmt: skip
    assert _totals(shop) == TOTALS
    assert _wrong(shop.settings) == {}
    assert before() == rows
    assert migrate(shop.settings) == []
    load(shop.settings, "second")
    assert _wrong(shop.settings) == {}
    days = shop.conn.execute(
        "SELECT restaurant_id FROM cdm.order_days WHERE order_date = '2023-08-02'"
    ).fetchall()
    assert sorted(days) == sorted([(key("r1"),), (key("r9"),)])


def test_totals_that_change_are_made_anew_and_those_that_go_are_dropped(
    shop: Emptied,
) -> None:
    by_day = Totals(
        table="product_days", description="By day alone.", of="orders",
        keys=("order_date", "product_id"),
    )  # fmt: skip
    try:
        with _declared(PRODUCTS, by_day):
            assert migrate(shop.settings) == ["product_days"]
            assert shop.conn.execute(
                "SELECT order_date::text, order_cnt, amount::int FROM cdm.product_days"
                " ORDER BY order_date, amount"
            ).fetchall() == [
                ("2023-08-01", 1, 100),
                ("2023-08-01", 1, 200),
                ("2023-08-02", 1, 100),
                ("2023-08-02", 1, 200),
            ]
            assert shop.conn.execute(
                "SELECT to_regclass('cdm.product_totals'),"
                " to_regclass('cdm.order_days')"
            ).fetchone() == (None, None)
            _stage(shop, [raw(4, [line("soup")], user="eve")])
            load(shop.settings, "second")
            assert _wrong(shop.settings) == {}
    finally:
        migrate(shop.settings)
    assert _wrong(shop.settings) == {}


@pytest.mark.parametrize(
    ("mart", "table", "planted"),
    [
        (PRODUCTS, "product_totals", "UPDATE {} SET guest_cnt = guest_cnt + 1"),
        (PRODUCTS, "product_days", "DELETE FROM {}"),
        (PRODUCTS, "order_days", "UPDATE {} SET amount = -amount"),
        (CATEGORIES, "guest_days", "UPDATE {} SET new_guest_cnt = 0"),
    ],
)
def test_wrong_total_is_found_and_mended_by_a_rebuild(
    shop: Emptied, mart: str, table: str, planted: str
) -> None:
    shop.conn.execute(planted.format(f"cdm.{table}"))
    assert _wrong(shop.settings) == {f"cdm.{mart}": [table]}

    marts.rebuild(shop.settings, mart, caller("rebuild"))

    assert _wrong(shop.settings) == {}
    assert _totals(shop) == TOTALS


def test_totals_are_right_after_a_recount_has_mended_the_mart(shop: Emptied) -> None:
    # Whether totals follow a change by hand, nobody knows: these have not.
    shop.conn.execute(
        "UPDATE cdm.user_product_counters SET order_cnt = 9 WHERE product_id = %s",
        (key("soup"),),
    )
    shop.conn.execute(
        "DELETE FROM cdm.user_product_counters_counted WHERE order_id = 3"
    )
    assert _wrong(shop.settings) != {}

    outcome = marts.run(shop.settings, PRODUCTS, caller(PRODUCTS, "first"))

    assert outcome.counts["corrected"] == 2
    assert _totals(shop) == TOTALS
    assert _wrong(shop.settings) == {}
    assert not kept_totals.are_doubtful(shop.conn, PRODUCTS)


def test_recount_that_is_killed_leaves_totals_to_the_next_run(shop: Emptied) -> None:
    shop.conn.execute("DELETE FROM cdm.product_totals")
    kept_totals.doubt(shop.conn, PRODUCTS)  # the last thing that it has committed
    soon = shop.settings.model_copy(update={"palate_lock_wait": 0.1})
    assert {
        one.subject: one.note
        for one in reconcile(soon)
        if one.check == "totals/equal_the_mart" and one.is_skipped
    } == {f"cdm.{PRODUCTS}": "They are summed anew at the end of the mart's run."}

    load(shop.settings, "second")

    assert _totals(shop) == TOTALS
    assert not kept_totals.are_doubtful(shop.conn, PRODUCTS)


def _counted(name: str) -> CountedMart:
    mart = load_marts("food")[name]
    assert isinstance(mart, CountedMart)
    return mart


def test_guest_is_new_on_another_day_once_the_first_order_is_gone(
    shop: Emptied,
) -> None:
    later = raw(1, user="ann", status="CANCELLED", update_ts="2023-08-05 10:00:00")
    _stage(shop, [later])
    load(shop.settings, "second")
    assert _totals(shop)["guest_days"] == [("2023-08-02", 2, 2)]

    _stage(shop, [raw(4, [line("soup")], user="bob", date=DAY_1)])
    load(shop.settings, "third")
    assert _totals(shop)["guest_days"] == [("2023-08-01", 1, 1), ("2023-08-02", 2, 1)]
    assert _wrong(shop.settings) == {}

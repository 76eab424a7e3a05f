"""What the charts show: a few orders counted by hand; any history, by the vault."""

import json
from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from palate.cli.app import app
from palate.database import Connection, connect
from palate.errors import NotFoundError, RequestError
from palate.reads import charts
from palate.reads.charts import Chosen
from palate.sql import execute
from tests.integration.emptied import Emptied
from tests.integration.reads.charts_truth import (
    CATEGORIES,
    DAYS,
    DISHES,
    RESTAURANTS,
)
from tests.integration.staged import load, stage_entries, stage_messages
from tests.model.strategies import batches, histories
from tests.unit.model.stories import DAY_1, DAY_2, DAY_3, DAY_4, dish, line, menu, raw

FIRST, SECOND, THIRD = (date(2023, 8, day) for day in (1, 2, 3))

# Soup and stew are of one restaurant; stew moves from Main to Soups on the third day.
ENTRIES = [
    menu(
        "r1",
        DAY_1,
        dish("soup", "Soup", category="Soups"),
        dish("stew", "Stew", category="Main"),
    ),
    menu("r2", DAY_1, dish("cake", "Cake", category="Sweets")),
    menu(
        "r1",
        DAY_3,
        dish("soup", "Soup", category="Soups"),
        dish("stew", "Stew", category="Soups"),
    ),
]
SOUP, STEW, CAKE = line("soup", 1, "100"), line("stew", 2, "150"), line("cake", 1, "50")
ORDERS = [
    raw(1, [SOUP, STEW], user="ann", restaurant="r1"),
    raw(2, [SOUP], user="ann", restaurant="r1", date=DAY_2, update_ts=DAY_2),
    raw(3, [CAKE], user="bob", restaurant="r2", date=DAY_2, update_ts=DAY_2),
    raw(4, [STEW], user="bob", restaurant="r1", date=DAY_3, update_ts=DAY_3),
    # The newest version counts: cancelled, of other dishes, of another guest.
    raw(5, [CAKE], user="eve", restaurant="r2"),
    raw(5, [CAKE], user="eve", restaurant="r2", status="CANCELLED", update_ts=DAY_2),
    raw(6, [CAKE], user="eve", restaurant="r2", date=DAY_2, update_ts=DAY_2),
    raw(6, [SOUP], user="cat", restaurant="r1", date=DAY_2, update_ts=DAY_3),
    # Of two at one time the one sent later; it has no dishes, and is an order.
    raw(7, [], user="bob", restaurant="r2", date=DAY_3, sent_dttm=DAY_4),
    raw(7, [SOUP], user="cat", restaurant="r2", date=DAY_3, sent_dttm=DAY_3),
]  # fmt: skip


@pytest.fixture
def conn(emptied: Emptied) -> Iterator[Connection]:
    """Give a session of a warehouse that has counted these orders."""
    emptied.empty()
    stage_entries(emptied.settings, ENTRIES)
    numbered = [replace(one, offset=offset) for offset, one in enumerate(ORDERS)]
    stage_messages(emptied.conn, numbered)
    load(emptied.settings)
    with connect(emptied.settings) as found:
        yield found


def _counts(found: charts.Popularity) -> list[tuple[Any, ...]]:
    return [
        (one.id, one.guests, one.orders, one.pieces, int(one.amount))
        for one in found.shares
    ]


def test_dishes_by_orders_and_by_guests(conn: Connection) -> None:
    soup, cake = ("soup", 2, 3, 3, 300), ("cake", 1, 1, 1, 50)
    stew = ("stew", 2, 2, 4, 600)

    found = charts.dishes(conn)

    assert _counts(found) == [soup, stew, cake]
    assert [one.name for one in found.shares] == ["Soup", "Stew", "Cake"]
    assert [one.orders_share for one in found.shares] == [3 / 6, 2 / 6, 1 / 6]
    assert [one.guests_share for one in found.shares] == [2 / 5, 2 / 5, 1 / 5]
    by_guests = charts.dishes(conn, by="guests", most=2)
    assert _counts(by_guests) == [soup, stew]
    assert by_guests.number == 3
    assert by_guests.shares[0].guests_share == 2 / 5, "of all, not of those shown"


def test_dish_counts_in_the_category_that_it_had_when_it_was_ordered(
    conn: Connection,
) -> None:
    assert _counts(charts.categories(conn)) == [
        ("Soups", 3, 4, 5, 600),
        ("Main", 1, 1, 2, 300),
        ("Sweets", 1, 1, 1, 50),
    ]


def test_days_and_a_restaurant_are_chosen(conn: Connection) -> None:
    second = Chosen(SECOND, SECOND)
    assert _counts(charts.dishes(conn, second)) == [
        ("soup", None, 2, 2, 200),
        ("cake", None, 1, 1, 50),
    ]
    assert _counts(charts.categories(conn, replace(second, restaurant="r2"))) == [
        ("Sweets", None, 1, 1, 50)
    ]
    assert _counts(charts.categories(conn, Chosen(first=THIRD))) == [
        ("Soups", None, 1, 2, 300)
    ]
    assert _counts(charts.dishes(conn, Chosen(last=FIRST, restaurant="r1"))) == [
        ("soup", None, 1, 1, 100),
        ("stew", None, 1, 2, 300),
    ]
    assert charts.dishes(conn, Chosen(last=date(2023, 7, 31))).shares == []


def test_restaurants_by_orders(conn: Connection) -> None:
    assert _counts(charts.restaurants(conn)) == [
        ("r1", None, 4, 7, 900),
        ("r2", None, 2, 1, 50),
    ]
    assert _counts(charts.restaurants(conn, Chosen(last=FIRST))) == [
        ("r1", None, 1, 3, 400)
    ]


def test_guest_is_new_on_the_day_of_his_first_order_that_counts(
    conn: Connection,
) -> None:
    found = charts.days(conn)

    assert found.days == [
        charts.Day(FIRST, 1, 3, Decimal(400), 1, 1, 0),
        charts.Day(SECOND, 3, 3, Decimal(250), 3, 2, 1),
        charts.Day(THIRD, 2, 2, Decimal(300), 1, 0, 1),
    ]
    assert found.as_of is not None
    assert found.notes == []
    assert charts.days(conn, Chosen(SECOND, SECOND)).days == found.days[1:2]
    of_one = charts.days(conn, Chosen(restaurant="r2")).days
    assert of_one == [
        charts.Day(SECOND, 1, 1, Decimal(50), None, None, None),
        charts.Day(THIRD, 1, 0, Decimal(0), None, None, None),
    ]


def test_what_makes_no_sense_is_refused(conn: Connection) -> None:
    with pytest.raises(RequestError, match="over all orders only"):
        charts.dishes(conn, Chosen(first=FIRST), by="guests")
    with pytest.raises(NotFoundError, match="no restaurant R1"):
        charts.days(conn, Chosen(restaurant="R1"))


def test_shell_shows_the_same(
    conn: Connection, emptied: Emptied, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DWH_DSN", emptied.settings.dwh_dsn.get_secret_value())
    monkeypatch.setenv("COLUMNS", "1000")

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["charts", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    found = json.loads(run("dishes", "--from", "2023-08-02", "--most", "1", "--json"))
    assert found["shares"] == [
        {
            "id": "soup", "name": "Soup", "guests": None, "guests_share": None,
            "orders": 2, "orders_share": 0.5, "pieces": 2, "amount": "200",
        }
    ]  # fmt: skip
    assert found["number"] == 3
    assert "These are 1 of 3 dishes." in run("dishes", "--most", "1")
    assert "Soups" in run("categories", "--by", "guests")
    days = json.loads(run("days", "--restaurant", "r2", "--json"))["days"]
    assert [one["day"] for one in days] == ["2023-08-02", "2023-08-03"]
    assert "2023-08-01" in run("days")
    assert "900" in run("restaurants")


TRUTH = {
    "categories": CATEGORIES,
    "dishes": DISHES,
    "restaurants": RESTAURANTS,
    "days": DAYS,
}


@given(data=st.data())
def test_charts_follow_from_the_vault(emptied: Emptied, data: st.DataObject) -> None:
    emptied.empty()
    history = data.draw(histories(30, 14), label="history")
    for number, batch in enumerate(data.draw(batches(history), label="batches")):
        stage_messages(emptied.conn, batch.messages)
        stage_entries(emptied.settings, batch.entries)
        load(emptied.settings, f"run {number}")
    load(emptied.settings, "last")
    ids = [
        id
        for (id,) in emptied.conn.execute("SELECT restaurant_id FROM dds.h_restaurant")
    ]
    dates = [
        day
        for (day,) in emptied.conn.execute(
            "SELECT DISTINCT order_dt::date FROM dds.h_order"
        )
    ]
    some_day = st.none() | st.sampled_from(dates) if dates else st.none()
    chosen = Chosen(
        first=data.draw(some_day, label="first"),
        last=data.draw(some_day, label="last"),
        restaurant=data.draw(st.sampled_from([None, *ids]), label="restaurant"),
    )
    by_guests = chosen.is_all and data.draw(st.booleans(), label="by guests")

    with connect(emptied.settings) as conn:
        values = {
            "is_all": chosen.is_all, "is_by_guests": by_guests, "most": None,
            "first": chosen.first, "last": chosen.last, "restaurant": chosen.restaurant,
        }  # fmt: skip
        truth = {
            name: execute(conn, query, values).fetchall()
            for name, query in TRUTH.items()
        }
        by: charts.Measure = "guests" if by_guests else "orders"
        assert _rows(charts.categories(conn, chosen, by=by)) == truth["categories"]
        assert _rows(charts.dishes(conn, chosen, by=by)) == truth["dishes"]
        assert _rows(charts.restaurants(conn, chosen)) == truth["restaurants"]
        days = charts.days(conn, chosen).days
        assert [astuple(one) for one in days] == truth["days"]


def _rows(found: charts.Popularity) -> list[tuple[Any, ...]]:
    return [(found.number, *astuple(one)) for one in found.shares]

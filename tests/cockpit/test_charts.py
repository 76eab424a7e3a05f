"""The page of the charts, and its files."""

import csv
import io
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from palate.settings import Settings
from tests.integration.staged import load, stage_entries, stage_messages, with_topics
from tests.unit.model.stories import DAY_1, DAY_2, dish, line, menu, raw

HOSTILE = "=HYPERLINK(1)<b>"


@pytest.fixture
def fed(warehouse: Settings, connection: psycopg.Connection[Any]) -> Settings:
    """Give a warehouse in which two guests had soup and salad on two days."""
    settings = with_topics(warehouse)
    stage_entries(
        settings,
        [
            menu("r", DAY_1, dish("d", HOSTILE, category="Суп"), name="Лобио"),
            menu("q", DAY_1, dish("e", "Цезарь", category="Салат"), name=HOSTILE),
        ],
    )
    soup, salad = line("d", price="50"), line("e", price="70")
    orders = [
        raw(1, [soup]),
        raw(2, [soup], date=DAY_2),
        raw(3, [salad], user="v", date=DAY_2, restaurant="q"),
        raw(4, [salad], user="v", status="CANCELLED", restaurant="q"),
    ]
    stage_messages(
        connection,
        [replace(order, offset=offset) for offset, order in enumerate(orders)],
    )
    load(settings, "first")
    return settings


def rows(client: TestClient, path: str) -> list[list[str]]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_page_says_that_nothing_was_counted(viewer: TestClient) -> None:
    assert "No order that counts is among those chosen." in viewer.get("/charts").text


def test_charts_show_guests_and_orders(fed: Settings, viewer: TestClient) -> None:
    shown = viewer.get("/api/v1/charts").json()

    def counts(name: str, of: str) -> dict[str, Any]:
        return {one["id"]: one[of] for one in shown[name]["shares"]}

    assert counts("categories_by_guests", "guests") == {"Суп": 1, "Салат": 1}
    assert counts("categories_by_orders", "orders") == {"Суп": 2, "Салат": 1}
    assert counts("dishes_by_guests", "guests") == {"d": 1, "e": 1}
    assert counts("dishes_by_orders", "orders") == {"d": 2, "e": 1}
    assert counts("restaurants", "orders") == {"r": 2, "q": 1}
    days = [
        (one["orders"], one["new_guests"], one["returning_guests"])
        for one in shown["sales"]["days"]
    ]
    assert days == [(1, 1, 0), (2, 1, 1)]
    page = viewer.get("/charts").text
    assert "66.7 %" in page
    assert "<b>" not in page


def test_category_without_a_name_is_shown_as_one(
    warehouse: Settings, connection: psycopg.Connection[Any], viewer: TestClient
) -> None:
    settings = with_topics(warehouse)
    stage_entries(settings, [menu("r", DAY_1, dish("d", "Gift card", category=""))])
    stage_messages(connection, [raw(1, [line("d")])])
    load(settings, "first")
    shown = viewer.get("/charts").text
    assert '<th scope="row">without a name</th>' in shown


def test_charts_of_a_day_or_a_restaurant_have_no_guests(
    fed: Settings, viewer: TestClient
) -> None:
    asked = {"from": "2023-08-02", "to": "", "restaurant": ""}
    shown = viewer.get("/api/v1/charts", params=asked).json()
    assert shown["categories_by_guests"] is None
    assert len(shown["sales"]["days"]) == 1
    page = viewer.get("/charts", params={"restaurant": "q"}).text
    assert "Guests are counted over all orders only" in page
    assert "Guests of one restaurant are not counted by day" in page


def test_files_have_all_rows_and_run_nothing(fed: Settings, viewer: TestClient) -> None:
    heads, *dishes = rows(viewer, "/charts/dishes.csv")
    assert heads[:2] == ["id", "name"]
    assert {one[0]: one[1] for one in dishes} == {"d": f"'{HOSTILE}", "e": "Цезарь"}
    assert [one[0] for one in rows(viewer, "/charts/categories.csv")[1:]] == [
        "Суп",
        "Салат",
    ]
    assert len(rows(viewer, "/charts/restaurants.csv")) == 3
    days = rows(viewer, "/charts/days.csv?restaurant=q")[1:]
    assert [one[:2] for one in days] == [["2023-08-02", "1"]]


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"from": "2023-08-02", "to": "2023-08-01"}, 400, "is after To"),
        ({"from": "soon"}, 400, "from"),
        ({"restaurant": "nowhere"}, 404, "There is no restaurant nowhere"),
    ],
)
def test_wrong_choice_is_refused_in_words(
    fed: Settings, viewer: TestClient, asked: dict[str, str], code: int, said: str
) -> None:
    for path in ("/charts", "/charts/days.csv"):
        answer = viewer.get(path, params=asked)
        assert (answer.status_code, said in answer.text) == (code, True)

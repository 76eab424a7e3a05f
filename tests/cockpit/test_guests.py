"""The pages of the guests."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from palate.settings import Settings
from tests.cockpit.conftest import as_role
from tests.integration.staged import (
    load,
    set_rules,
    stage_entries,
    stage_messages,
    with_topics,
)
from tests.model.history import Rule
from tests.unit.model.stories import DAY_1, DAY_2, dish, guest, line, menu, raw

HOSTILE = "<script>alert(1)</script>\u202e=1+1"


@pytest.fixture(autouse=True)
def fed(warehouse: Settings, connection: psycopg.Connection[Any]) -> Settings:
    """Give a warehouse with three guests, one of whom nobody but Redis knows."""
    settings = with_topics(warehouse)
    stage_entries(
        settings,
        [
            menu("r", DAY_1, dish("d", HOSTILE), dish("e", "Борщ", category="Суп")),
            guest("u", DAY_1, "Anna", login="anna"),
            guest("u", DAY_2, HOSTILE, login="anna"),
            guest("a/b?c", DAY_1, "Annabel"),
        ],
    )
    soup = line("d", name="?")
    other = line("e", name="?", quantity=3)
    orders = [
        raw(1, [soup, other]),
        raw(1, [soup, other], update_ts=DAY_2),
        raw(2, [soup], date=DAY_2),
        raw(3, [soup], user="v", status="CANCELLED"),
    ]
    set_rules(connection, [Rule("product", HOSTILE, 2, "soup")])
    stage_messages(
        connection,
        [replace(order, offset=offset) for offset, order in enumerate(orders)],
    )
    load(settings, "first")
    return settings


def found(client: TestClient, asked: str) -> list[str]:
    answer = client.get("/api/v1/guests", params={"id": asked})
    return [one["user_id"] for one in answer.json()["guests"]]


def test_guest_is_found_by_own_id_and_by_how_a_name_begins(user: TestClient) -> None:
    assert found(user, "u") == ["u"]
    assert found(user, "v") == ["v"]
    assert found(user, "Ann") == ["a/b?c", "u"]  # a former name of u
    assert found(user, "Annab") == ["a/b?c"]
    assert found(user, "ann") == []
    assert found(user, "%") == []
    assert found(user, "") == []
    assert "No guest has this own id" in user.get("/guests?id=ann").text


def test_search_goes_on_after_an_id(user: TestClient) -> None:
    answer = user.get("/api/v1/guests", params={"id": "Ann", "after": "a/b?c"})
    assert [one["user_id"] for one in answer.json()["guests"]] == ["u"]


def test_page_shows_what_is_known_of_a_guest(user: TestClient) -> None:
    shown = user.get("/api/v1/guests/u").json()
    assert [one["username"] for one in shown["names"]] == [HOSTILE, "Anna"]
    assert [(one["name"], one["order_cnt"]) for one in shown["dishes"]] == [
        (HOSTILE, 2),
        ("Борщ", 1),
    ]
    assert [(one["own_id"], one["pieces_cnt"]) for one in shown["categories"]] == [
        ("Суп", 3)
    ]
    (held,) = shown["tags"]
    assert (held["tag"], held["reasons"][0]["order_cnt"]) == ("soup", 2)
    assert [(one["order_id"], one["versions"]) for one in shown["orders"]] == [
        (2, 1),
        (1, 2),
    ]
    assert [one["quantity"] for one in shown["orders"][1]["lines"]] == [1, 3]


def test_guest_without_counters_or_orders_is_said_in_words(user: TestClient) -> None:
    page = user.get("/guests/v").text
    assert "no closed order of this guest" in page
    assert "CANCELLED" in page
    page = user.get("/guests/a%2Fb%3Fc").text
    assert "Annabel" in page
    assert "only the dictionary knows it" in page


def test_unknown_guest_is_said_in_words(user: TestClient) -> None:
    answer = user.get("/guests/nobody")
    assert (answer.status_code, "There is no guest" in answer.text) == (404, True)


def test_persons_are_not_for_everybody(app: FastAPI) -> None:
    viewer = as_role(app, "viewer")
    for path in ("/guests", "/guests/u", "/api/v1/guests/u"):
        assert viewer.get(path).status_code == 403


def test_hostile_names_are_inert(user: TestClient) -> None:
    for path in ("/guests?id=u", "/guests/u"):
        page = user.get(path).text
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "\\u202e" in page

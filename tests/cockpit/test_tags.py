"""The page of the tags: rules, their effect, who changed what."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from palate.settings import Settings
from tests.cockpit.conftest import Audit, as_role
from tests.integration.staged import load, stage_entries, stage_messages, with_topics
from tests.unit.model.stories import DAY_1, dish, line, menu, raw

SOUPS = {"kind": "product", "name": "Лобио", "threshold": 1, "tag": "soup"}


@pytest.fixture
def fed(warehouse: Settings, connection: psycopg.Connection[Any]) -> Settings:
    """Give a warehouse in which guest u had two soups, and v had one."""
    settings = with_topics(warehouse)
    stage_entries(
        settings,
        [menu("r", DAY_1, dish("d", "Лобио"), dish("e", "Борщ", category="Суп"))],
    )
    soup = line("d", name="?")
    other = line("e", name="?")
    orders = [raw(1, [soup, other]), raw(2, [soup]), raw(3, [soup], user="v")]
    stage_messages(
        connection,
        [replace(order, offset=offset) for offset, order in enumerate(orders)],
    )
    load(settings, "first")
    return settings


def effect(client: TestClient, **asked: Any) -> dict[str, int]:
    answer = client.get(
        "/api/v1/tags/effect", params={**SOUPS, "active": True, **asked}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, int] = answer.json()
    return found


def post(client: TestClient, path: str, **values: Any) -> tuple[int, str]:
    answer = client.post(f"/api/v1/tags/rules{path}", json=values)
    said = answer.json()
    return answer.status_code, said.get("done") or said["error"]


def test_rule_is_added_changed_and_removed(
    fed: Settings, editor: TestClient, viewer: TestClient, audit: Audit
) -> None:
    assert "There are no rules yet" in viewer.get("/tags").text
    code, said = post(editor, "", **SOUPS)
    assert (code, said.partition(":")[0]) == (200, "Rule 1 was added")
    load(fed, "second")
    page = viewer.get("/tags").text
    assert "soup" in page
    assert viewer.get("/api/v1/tags").json()["rules"][0]["guests"] == 2

    seen = SOUPS | {"active": True}
    code, said = post(editor, "/1", **SOUPS | {"threshold": 2}, seen=seen)
    assert (code, said.partition(":")[0]) == (200, "Rule 1 was changed")
    code, said = post(editor, "/1/remove", seen=seen | {"threshold": 2})
    assert (code, said.partition(":")[0]) == (200, "Rule 1 was removed")

    changes = viewer.get("/api/v1/tags").json()["changes"]
    assert [one["changed_by"] for one in changes] == ["anna"] * 3
    assert [one["after"] and one["after"]["threshold"] for one in changes] == [
        None, 2, 1,
    ]  # fmt: skip
    assert audit.noted == [
        (f"palate_rule_{act}", "anna") for act in ("add", "change", "remove")
    ]


def test_rule_may_name_the_category_without_a_name(
    warehouse: Settings, connection: psycopg.Connection[Any], editor: TestClient
) -> None:
    settings = with_topics(warehouse)
    stage_entries(settings, [menu("r", DAY_1, dish("d", "Лобио", category=""))])
    stage_messages(connection, [raw(1, [line("d", name="?")])])
    load(settings, "first")
    nameless = SOUPS | {"kind": "category", "name": ""}
    assert effect(editor, **nameless) == {"gain": 1, "lose": 0}
    assert post(editor, "", **nameless)[0] == 200
    page = editor.get("/tags").text
    assert "category without a name" in page
    assert 'name="name" required' not in page


def test_second_of_two_people_is_told(fed: Settings, app: FastAPI) -> None:
    anna, bert = as_role(app, "editor", "anna"), as_role(app, "editor", "bert")
    post(anna, "", **SOUPS)
    seen = SOUPS | {"active": True}
    assert post(anna, "/1", **SOUPS | {"threshold": 2}, seen=seen)[0] == 200
    code, said = post(bert, "/1", **SOUPS | {"threshold": 3}, seen=seen)
    assert code == 409
    assert "from 1 order of the dish 'Лобио' on" in said
    assert "from 2 orders of the dish 'Лобио' on" in said
    assert post(bert, "/1/remove", seen=seen)[0] == 409
    assert anna.get("/api/v1/tags").json()["rules"][0]["threshold"] == 2


def test_only_who_may_edit_rules_does(fed: Settings, app: FastAPI) -> None:
    for role in ("viewer", "user"):
        code, said = post(as_role(app, role), "", **SOUPS)
        assert (code, "Your role" in said) == (403, True)
    assert as_role(app, "viewer").get("/api/v1/tags").json()["rules"] == []


def test_guests_with_a_tag_are_persons(fed: Settings, app: FastAPI) -> None:
    post(as_role(app, "editor"), "", **SOUPS)
    load(fed, "second")
    asked = {"tag": "soup"}
    assert as_role(app, "viewer").get("/tags/guests", params=asked).status_code == 403
    shown = as_role(app, "user").get("/api/v1/tags/guests", params=asked).json()
    assert [one["user_id"] for one in shown["holders"]] == ["u", "v"]
    answer = as_role(app, "user").get("/tags/guests", params={"tag": "none"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        (SOUPS | {"name": "Лобиo"}, "Near to it: 'Лобио'"),
        (SOUPS | {"tag": ""}, "The tag is empty"),
        (SOUPS | {"threshold": 0}, "threshold"),
        (SOUPS | {"kind": "guest"}, "kind"),
        (SOUPS | {"more": 1}, "more"),
    ],
)
def test_wrong_rule_is_refused_in_words(
    fed: Settings, editor: TestClient, rule: dict[str, Any], wrong: str
) -> None:
    code, said = post(editor, "", **rule)
    assert code in (400, 404)
    assert wrong in said


def test_effect_counts_those_who_would_gain_and_lose(
    fed: Settings, editor: TestClient
) -> None:
    assert effect(editor) == {"gain": 2, "lose": 0}
    assert effect(editor, threshold=2) == {"gain": 1, "lose": 0}
    assert effect(editor, threshold=3) == {"gain": 0, "lose": 0}
    assert effect(editor, active=False) == {"gain": 0, "lose": 0}
    post(editor, "", **SOUPS)
    # Who has the tag already gains nothing by another rule of it.
    category = {"kind": "category", "name": "Суп"}
    assert effect(editor, **category) == {"gain": 0, "lose": 0}
    assert effect(editor, **category, tag="other") == {"gain": 1, "lose": 0}
    assert effect(editor, rule_id=1, threshold=2) == {"gain": 0, "lose": 1}
    assert effect(editor, rule_id=1, tag="other") == {"gain": 2, "lose": 2}
    assert effect(editor, rule_id=1, active=False) == {"gain": 0, "lose": 2}
    assert effect(editor, rule_id=1, is_removed=True) == {"gain": 0, "lose": 2}
    # u keeps the tag by another rule.
    post(editor, "", **SOUPS | category)
    assert effect(editor, rule_id=1, is_removed=True) == {"gain": 0, "lose": 1}


def test_change_by_sql_is_noted_by_the_login(
    fed: Settings, viewer: TestClient, connection: psycopg.Connection[Any]
) -> None:
    connection.execute(
        "INSERT INTO cdm.tag_rules (kind, name, threshold, tag)"
        " VALUES ('product', 'Лобио', 1, 'soup')"
    )
    connection.execute("UPDATE cdm.tag_rules SET tag = tag")
    (change,) = viewer.get("/api/v1/tags").json()["changes"]
    assert change["changed_by"] == change["login"] == "palate"
    assert change["before"] is None


def test_hostile_tag_and_name_are_inert(
    fed: Settings, viewer: TestClient, connection: psycopg.Connection[Any]
) -> None:
    hostile = "<img src=x onerror=alert(1)>\u202e'\"{{ 7 * 7 }}"
    connection.execute(
        "INSERT INTO cdm.tag_rules (kind, name, threshold, tag) VALUES"
        " ('product', %s, 1, %s)",
        (hostile, hostile),
    )
    page = viewer.get("/tags").text
    assert "<img" not in page
    assert "\u202e" not in page
    assert "\\u202e" in page


def test_effect_is_said_in_words(fed: Settings, editor: TestClient) -> None:
    asked = SOUPS | {"active": True, "threshold": 2}
    said = editor.get("/tags/effect", params=asked).text.strip()
    assert said == "1 guest would get the tag, 0 guests would lose theirs."
    said = editor.get("/tags/effect", params=asked | {"threshold": 9}).text.strip()
    assert said == "No guest would gain or lose a tag."

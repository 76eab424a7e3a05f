"""The page of the incidents: what is wrong, who was told, what is gone."""

import json
import re
from typing import Any

import psycopg
from fastapi.testclient import TestClient

from palate import incidents
from palate.incidents import Kind
from palate.landing import gaps
from palate.monitoring import alarms
from palate.positions import FeedPartition
from palate.settings import Settings
from tests.integration.shells import shell_of

Conn = psycopg.Connection[Any]
HOSTILE = "<script>x()</script>\u202e"
LOG = FeedPartition("orders", 0, 3)


def test_page_says_that_all_is_well(viewer: TestClient) -> None:
    shown = viewer.get("/incidents").text
    assert "Nothing is wrong that an incident was opened for." in shown
    assert "None is over" in shown
    assert "Offsets that are gone" not in shown


def test_incident_is_shown_until_its_all_clear_is_sent(
    viewer: TestClient, connection: Conn
) -> None:
    text = (
        f"{HOSTILE} See docs/operations.md, 'The promise is broken'. "
        "`palate status` says more."
    )
    incidents.begin(connection, Kind.FRESHNESS, "food", text)
    shown = viewer.get("/incidents").text
    assert "&lt;script&gt;x()&lt;/script&gt;\\u202e See" in shown
    assert '<a href="/help#the-promise-is-broken">' in shown
    assert "<code>palate status</code> says more." in shown
    assert "1 alarm waits to be sent" in shown
    assert "The alarm has not been sent yet." in shown
    alarms.send_all(connection, lambda _: HOSTILE)
    shown = viewer.get("/incidents").text
    assert "The alarm was sent" in shown
    assert " to &lt;script&gt;x()&lt;/script&gt;\\u202e." in shown
    incidents.end(connection, Kind.FRESHNESS, "food")
    shown = viewer.get("/incidents").text
    assert "Nothing is wrong" in shown
    assert "not yet" in shown
    alarms.send_all(connection, lambda _: "the second shift")
    shown = viewer.get("/incidents").text
    assert "not yet" not in shown
    assert " to the second shift</td>" in shown
    assert re.search(r"<td>[\d.]+ s</td>", shown)


def test_past_incidents_are_paged_and_open_ones_stay(
    viewer: TestClient, connection: Conn
) -> None:
    for number in range(52):
        incidents.begin(connection, Kind.CHECK, f"check {number}", "Rows.")
        incidents.end(connection, Kind.CHECK, f"check {number}")
    incidents.begin(connection, Kind.WATCH, "watch", "It sleeps.")
    page = viewer.get("/api/v1/incidents").json()
    assert [len(page["past"]), page["older"]] == [50, 3]
    older = viewer.get("/incidents", params={"before": 3}).text
    assert "It sleeps." in older
    assert "check 1<" in older
    assert "check 2<" not in older
    assert "Older incidents" not in older


def test_gap_has_the_command_that_gives_it_up_and_then_who_did(
    viewer: TestClient, connection: Conn
) -> None:
    gaps.note(connection, LOG, 10, 25)
    assert gaps.accepting("orders", 3, 25) in gaps.gone(LOG, 10, 25)
    (gap,) = viewer.get("/api/v1/incidents").json()["gaps"]
    assert gap["command"] == "palate positions accept-gap orders 3 --to 25 --reason"
    shown = viewer.get("/incidents").text
    assert f'<code>{gap["command"]} "..."</code>' in shown
    assert "orders/3: 10..24" in shown
    assert '<a href="/help#offsets-are-gone">' in shown
    assert "data-act" not in shown
    gaps.note_accepted(connection, LOG, 10, 25, HOSTILE, "Nobody has them.")
    shown = viewer.get("/incidents").text
    assert "palate positions accept-gap" not in shown
    assert "by &lt;script&gt;x()&lt;/script&gt;\\u202e: Nobody has them." in shown


def test_shell_says_the_same(
    warehouse: Settings, viewer: TestClient, connection: Conn
) -> None:
    incidents.begin(connection, Kind.GAP, str(LOG), "Gone.")
    gaps.note(connection, LOG, 10, 25)
    shell = shell_of(warehouse)
    (line,) = shell.lines("incidents", "--json")
    assert json.loads(line) == viewer.get("/api/v1/incidents").json()
    said = "\n".join(shell.lines("incidents"))
    assert "Gone." in said
    assert "palate positions accept-gap orders 3 --to 25" in said

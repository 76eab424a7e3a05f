"""The pages of reloads, backfills and rebuilds."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg.types.json import Jsonb

from palate.engine import Caller
from palate.engine.plans import ReadFrom, Request
from palate.history import rebuild, reload
from palate.settings import Settings
from tests.food import FOOD
from tests.integration.staged import load, stage_messages, with_topics
from tests.unit.model.stories import line, raw

Conn = psycopg.Connection[Any]
HOSTILE = "<img src=x onerror=x()>\u202e"
ME = Caller("orders_history_reload", "manual__2026-01-31T00:00:00+00:00", "reload")


@pytest.fixture
def shop(warehouse: Settings, connection: Conn) -> Settings:
    """Give a warehouse with some orders, loaded."""
    settings = with_topics(warehouse)
    stage_messages(
        connection,
        [raw(n, [line("d1"), line("d2")], offset=n, user=f"u{n}") for n in range(6)],
    )
    load(settings)
    return settings


def _reload(settings: Settings) -> reload.ReloadReport:
    times = Request(
        datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC), ReadFrom.STG
    )
    return reload.run_all(settings, FOOD, ME, times)


def test_pages_say_that_there_is_nothing_yet(viewer: TestClient) -> None:
    shown = viewer.get("/reloads").text
    assert "There is no reload in the ledger." in shown
    assert 'data-airflow="dags/orders_history_reload"' in shown
    assert "have not been rebuilt" in shown
    assert "/help#the-vault-and-the-marts-are-rebuilt" in shown
    backfills = viewer.get("/reloads", params={"backfills": "true"}).text
    assert "There is no backfill in the ledger." in backfills
    assert "have not been rebuilt" in viewer.get("/rebuilds").text


def test_what_was_put_right_is_shown_layer_by_layer(
    shop: Settings, viewer: TestClient, user: TestClient, connection: Conn
) -> None:
    connection.execute("DELETE FROM dds.s_order_cost WHERE order_id = 3")
    connection.execute("UPDATE cdm.user_product_counters SET order_cnt = 9")
    report = _reload(shop)
    assert report.healed > 1
    (one,) = viewer.get("/api/v1/reloads").json()["reloads"]
    assert one["healed"] == report.healed
    seen = viewer.get(f"/api/v1/reloads/{one['reload_id']}").json()
    assert (seen["area"], seen["positions"], seen["not_on_broker"]) == ("food", 6, 6)
    assert [layer["layer"] for layer in seen["layers"]] == reload.layers(FOOD)
    found = {layer["layer"]: layer["found"] for layer in seen["layers"]}
    assert found["vault"]["counts"]["s_order_cost"] == 1
    assert found["user_product_counters"]["healed"] == 12
    shown = viewer.get(f"/reloads/{one['reload_id']}").text
    assert "s_order_cost 1" in shown
    assert shown.count('<span class="state good">done</span>') == len(found)
    assert 'data-airflow="dags/orders_history_reload/runs/manual__2026-' in shown
    rows = f"/reloads/{one['reload_id']}/rows"
    assert rows in shown
    assert viewer.get(rows).status_code == 403
    assert "user_product_counters" in user.get(rows).text


def test_rows_of_a_layer_are_for_those_who_may_see_guests(
    shop: Settings, viewer: TestClient, user: TestClient, connection: Conn
) -> None:
    _reload(shop)
    (number,) = connection.execute(
        "UPDATE ops.reload_layers SET differing = 1, examples = %s"
        " WHERE layer = 'vault' RETURNING reload_id",
        (Jsonb([{"user_id": "u77", "name": HOSTILE}]),),
    ).fetchone() or (0,)
    for path in (f"/reloads/{number}", f"/api/v1/reloads/{number}"):
        assert "u77" not in viewer.get(path).text
    shown = viewer.get(f"/reloads/{number}").text
    assert '<a href="/help#the-vault-differs">' in shown
    assert '<span class="state bad">differs</span>' in viewer.get("/reloads").text
    rows = user.get(f"/reloads/{number}/rows").text
    assert "&lt;img src=x onerror=x()&gt;\\u202e" in rows


def test_reload_under_way_shows_how_far_it_is(
    shop: Settings, viewer: TestClient, connection: Conn
) -> None:
    _reload(shop)
    # As one that was killed in the middle of its vault.
    connection.execute("UPDATE ops.reloads SET finished_dt = NULL")
    connection.execute("DELETE FROM ops.reload_layers WHERE layer <> 'messages'")
    connection.execute("DELETE FROM ops.reload_stages WHERE stage LIKE 'mart:%'")
    connection.execute(
        "UPDATE ops.reload_stages SET finished_dt = NULL WHERE stage = 'vault:reload'"
    )
    (one,) = viewer.get("/api/v1/reloads").json()["reloads"]
    assert one["last_batch_dt"]
    shown = viewer.get(f"/reloads/{one['reload_id']}").text
    assert "6 of 6 positions" in shown
    assert shown.count('<span class="state none">not begun</span>') == 2
    assert "It is under way, or was killed" in shown


def test_backfills_are_listed_apart(viewer: TestClient, connection: Conn) -> None:
    for dag, run in (("orders_stream", "backfill__1"), ("shell", "shell__1")):
        connection.execute(
            "WITH planned AS (INSERT INTO ops.reloads (dag_id, run_id, from_dt, to_dt,"
            " source) VALUES (%s, %s, '2023-01-01', '2023-01-02', 'auto')"
            " RETURNING reload_id)"
            " INSERT INTO ops.reload_stages (reload_id, stage, finished_dt)"
            " SELECT reload_id, 'restage', now() FROM planned",
            (dag, run),
        )
    shown = viewer.get("/reloads").text
    assert "backfill__1" not in shown
    assert "not finished" in shown
    assert ">shell__1</td>" in shown  # no run of Airflow's
    shown = viewer.get("/reloads", params={"backfills": "true"}).text
    assert "backfill__1" in shown
    assert "not finished" not in shown


def test_reloads_are_paged(viewer: TestClient, connection: Conn) -> None:
    connection.execute(
        "INSERT INTO ops.reloads (dag_id, run_id, from_dt, to_dt, source)"
        " SELECT 'shell', 'shell__' || n, '2023-01-01', '2023-01-02', 'stg'"
        " FROM generate_series(1, 51) AS n"
    )
    page = viewer.get("/api/v1/reloads").json()
    assert [len(page["reloads"]), page["older"]] == [50, 2]
    older = viewer.get("/reloads", params={"before": 2}).text
    assert "Older reloads" not in older
    assert 'href="/reloads/1"' in older


def test_rebuild_is_shown_while_it_waits_and_when_it_is_over(
    shop: Settings, viewer: TestClient, user: TestClient, connection: Conn
) -> None:
    connection.execute("UPDATE cdm.user_product_counters SET order_cnt = 9")
    me = Caller("orders_history_reload", "manual__1", "build")
    rebuild.build(shop, me)
    shown = viewer.get("/rebuilds/1").text
    assert "being built" in shown
    assert "6 of 6 positions are in the new vault" in shown
    rebuild.compare(shop, me)
    shown = viewer.get("/rebuilds/1").text
    assert "waits for approval" in shown
    link = "dags/orders_history_reload/runs/manual__1/required_actions"
    assert f'data-airflow="{link}"' in shown
    seen = viewer.get("/api/v1/rebuilds/1").json()
    differing = {one["name"]: one["differing"] for one in seen["tables"]}
    assert {name: n for name, n in differing.items() if n} == {
        "cdm.user_product_counters": 12
    }
    assert viewer.get("/rebuilds/1/rows").status_code == 403
    assert "order_cnt" in user.get("/rebuilds/1/rows").text
    rebuild.swap(shop, me, is_approved=True)
    assert "swapped" in viewer.get("/rebuilds/1").text
    assert 'href="/rebuilds/1"' in viewer.get("/reloads").text


@pytest.mark.parametrize("path", ["/reloads/99", "/rebuilds/99"])
def test_unknown_one_is_an_error_in_words(viewer: TestClient, path: str) -> None:
    answer = viewer.get(path)
    assert answer.status_code == 404
    assert "They are kept as long as the ledger." in answer.text

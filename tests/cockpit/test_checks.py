"""The pages of the checks: last results, 30 days, and the rows for those who may."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from fastapi.testclient import TestClient
from psycopg.types.json import Jsonb

from palate import checks
from palate.database import connect
from palate.engine import Caller
from palate.reads import reports
from palate.settings import Settings
from tests.cockpit.forms import Forms
from tests.food import food_checks
from tests.integration.shells import shell_of

Conn = psycopg.Connection[Any]
MART = "marts/equal_the_vault"
CATEGORIES = "cdm.user_category_counters"
HOSTILE = "<script>alert(1)</script>\u202e\"'"


def _keep(
    conn: Conn,
    check: str,
    subject: str,
    outcome: str,
    *,
    days_ago: float = 0,
    rows: list[dict[str, Any]] | None = None,
    note: str = "",
    severity: str = "fail",
) -> int:
    (number,) = conn.execute(
        "INSERT INTO ops.check_results (dag_id, run_id, check_name, subject, severity,"
        " outcome, found, examples, note, seconds, checked_dt) VALUES"
        " ('warehouse_checks', 'scheduled__a+b', %s, %s, %s, %s, %s, %s, %s, 1.5, %s)"
        " RETURNING check_result_id",
        (
            check,
            subject,
            severity,
            outcome,
            len(rows or []),
            Jsonb(rows or []),
            note,
            datetime.now(UTC) - timedelta(days=days_ago),
        ),
    ).fetchone() or (0,)
    return int(number)


def _of(client: TestClient, name: str) -> dict[str, Any]:
    found = client.get("/api/v1/checks").json()["checks"]
    return next(one for one in found if one["name"] == name)


def test_checks_that_never_ran_are_listed_with_their_rules(viewer: TestClient) -> None:
    shown = viewer.get("/checks").text
    assert shown.count("not checked yet") == len(food_checks())
    mart = _of(viewer, MART)
    assert [one["subject"] for one in mart["subjects"]] == [
        CATEGORIES,
        "cdm.user_product_counters",
    ]
    assert {one["outcome"] for one in mart["subjects"][0]["days"]} == {"none"}
    assert f'href="/checks/{MART}"' in shown
    assert "every result has passed" in viewer.get(f"/checks/{MART}").text


def test_last_result_counts_and_the_days_keep_the_worst(
    viewer: TestClient, connection: Conn
) -> None:
    _keep(connection, MART, CATEGORIES, "found", days_ago=31, rows=[{"a": 1}])
    _keep(connection, MART, CATEGORIES, "skipped", days_ago=2, note="Rebuilt.")
    _keep(connection, MART, CATEGORIES, "found", days_ago=1, rows=[{"a": 1}])
    _keep(connection, MART, CATEGORIES, "passed", days_ago=0.9999)
    _keep(connection, MART, CATEGORIES, "passed")
    about = _of(viewer, MART)["subjects"][0]
    assert about["last"]["outcome"] == "passed"
    assert len(about["days"]) == 30
    assert [one["outcome"] for one in about["days"]][-4:-1] == [
        "none",
        "skipped",
        "found",
    ]
    assert about["days"][-1]["day"] == datetime.now(UTC).date().isoformat()
    shown = viewer.get("/checks").text
    day = datetime.now(UTC).date() - timedelta(days=1)
    assert f"rows found on 1 ({day})" in shown
    assert f'class="day bad" title="{day}: rows found"' in shown


def test_what_found_rows_stands_first_and_says_what_to_do(
    viewer: TestClient, connection: Conn
) -> None:
    _keep(connection, MART, CATEGORIES, "found", rows=[{"a": 1}, {"a": 2}])
    warning = "operation/tables_do_not_jump"
    _keep(connection, warning, "operation", "found", rows=[{}], severity="warn")
    names = [one["name"] for one in viewer.get("/api/v1/checks").json()["checks"]]
    assert names[:2] == [MART, warning]
    assert "2 rows found" in viewer.get("/checks").text
    shown = viewer.get(f"/checks/{MART}").text
    assert "a counter or a name is wrong" in shown
    assert '<a href="/help#a-mart-differs">A mart differs</a>' in shown
    assert '<a href="/help#a-check-found-rows">' in shown
    assert "dags/warehouse_checks/runs/scheduled__a%2Bb" in shown


def test_unknown_check_is_named_with_those_that_there_are(viewer: TestClient) -> None:
    answer = viewer.get("/checks/orders/no_such")
    assert answer.status_code == 404
    assert "There is no check orders/no_such. There are: hubs/" in answer.text


def test_results_are_paged(viewer: TestClient, connection: Conn) -> None:
    kept = [
        _keep(connection, MART, CATEGORIES, "skipped", note=f"No {n}.")
        for n in range(52)
    ]
    page = viewer.get(f"/api/v1/checks/{MART}").json()
    assert [one["check_result_id"] for one in page["results"]] == kept[:1:-1]
    assert f"before={kept[2]}" in viewer.get(f"/checks/{MART}").text
    older = viewer.get(f"/checks/{MART}", params={"before": kept[2]}).text
    assert "No 1." in older
    assert "No 2." not in older
    assert "Older results" not in older


def test_rows_are_for_those_who_may_see_guests(
    viewer: TestClient, user: TestClient, connection: Conn
) -> None:
    rows: list[dict[str, Any]] = [
        {"user_id": "u1", "name": HOSTILE},
        {"user_id": None, "key": {"x": [1, HOSTILE]}},
    ]
    number = _keep(connection, MART, CATEGORIES, "found", rows=rows)
    assert f'href="/results/{number}"' in viewer.get(f"/checks/{MART}").text
    refused = viewer.get(f"/results/{number}")
    assert refused.status_code == 403
    assert "u1" not in viewer.get(f"/api/v1/checks/{MART}").text
    shown = user.get(f"/results/{number}").text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e&#34;&#39;" in shown
    assert shown.count("<th>") == 3
    assert user.get(f"/api/v1/results/{number}").json()["rows"] == rows
    assert user.get("/results/999").status_code == 404


def test_checks_are_started_by_the_form_of_their_dag(viewer: TestClient) -> None:
    shown = viewer.get("/checks").text
    forms = Forms(shown)
    assert forms.starts == {"check-now": "warehouse_checks"}
    assert forms.sent == {"check-now": {}}  # as tests/dags says of the DAG
    assert "drops what STG and the ledger no longer need" in shown


def test_real_result_is_shown_and_the_shell_says_the_same(
    warehouse: Settings, viewer: TestClient
) -> None:
    checks.run_checks(warehouse, Caller.in_shell("check"), [MART])
    with connect(warehouse) as conn:
        found = asdict(reports.checked(conn, warehouse))
    shell = shell_of(warehouse)
    (line,) = shell.lines("check", "--last", "--json")
    plain = json.loads(json.dumps(found, default=lambda value: value.isoformat()))
    assert json.loads(line) == plain == viewer.get("/api/v1/checks").json()
    table = " ".join(shell.lines("check", "--last", MART))
    assert "passed" in table
    assert "freshness_is_kept" not in table

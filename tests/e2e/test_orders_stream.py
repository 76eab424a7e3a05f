"""The main job as people meet it: a real Airflow on real services."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.local.stack import Stack
from tests.e2e.airflow_api import AirflowApi, until
from tests.e2e.runs import Dwh, run_that_took
from tests.e2e.shop import PRICE, TOPIC, Guest, key
from tests.model.compare import actual, assert_equal

STAGES = ("drain", "vault", "dictionaries")
MARTS = ("user_category_counters", "user_product_counters")

pytestmark = pytest.mark.slow


def test_orders_are_counted_without_anybody_touching_anything(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza, guest.soup], number=1)
    guest.order([guest.pizza, guest.pizza], number=2)
    guest.order([guest.soup], number=3, status="CANCELLED")

    rows = [("Борщ", 1, 1, PRICE), ("Маргарита", 2, 3, 3 * PRICE)]
    until(lambda: guest.products(dwh) == rows, "both dishes in the mart")
    rows = [("Пицца", 2, 3, 3 * PRICE), ("Суп", 1, 1, PRICE)]
    until(lambda: guest.categories(dwh) == rows, "both categories in the mart")


def test_a_rule_by_sql_tags_its_guests_in_the_next_run(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza], number=1)
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    tag = f"Любитель {guest.category}"
    dwh.execute(
        "INSERT INTO cdm.tag_rules (kind, name, threshold, tag)"
        " VALUES ('category', %s, 1, %s)",
        (guest.category, tag),
    )

    started = airflow.trigger({"minutes": 1}).raise_for_status()
    run = airflow.over(started.json()["dag_run_id"])

    assert run["state"] == "success"
    held = dwh.execute(
        "SELECT user_id FROM cdm.user_tags WHERE tag = %s AND until_dt IS NULL", (tag,)
    )
    assert held.fetchall() == [(key(guest.id),)]


def test_a_message_rings_the_bell_and_the_run_tells_what_it_took(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza])

    run = run_that_took(airflow, dwh, guest)

    assert run["state"] == "success"
    outcomes = {task: airflow.outcome(run["dag_run_id"], task) for task in STAGES}
    assert outcomes["drain"]["outcome"] == "done"
    assert outcomes["drain"]["counts"]["messages"] >= 1
    assert outcomes["drain"]["ranges"][0].startswith(f"{TOPIC}[")
    events = airflow.asset_events(run["dag_run_id"])
    assert events["stg.order_events"] == outcomes["drain"]
    assert events["dds.v_order"] == outcomes["vault"]
    for mart in MARTS:
        assert events[f"cdm.{mart}"] == airflow.outcome(run["dag_run_id"], mart)
    assert "drain: 1 batch; messages" in airflow.log(run["dag_run_id"], "drain")


def test_a_manual_run_keeps_to_its_form_while_the_bell_is_away(
    stack: Stack, airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    stack.supervisor.stop("triggerer")
    try:
        guest.order([guest.pizza], number=1, partition=0)
        guest.order([guest.pizza], number=2, partition=1)
        started = airflow.trigger({"topics": [TOPIC], "partitions": "1", "minutes": 1})
        run = airflow.over(started.raise_for_status().json()["dag_run_id"])
        assert run["state"] == "success"
        assert [
            taken.split(" ")[0]
            for taken in airflow.outcome(run["dag_run_id"], "drain")["ranges"]
        ] in ([f"{TOPIC}[1]"], [])  # a tick may have been faster
    finally:
        stack.up_airflow()

    # What waited while the bell was away, it rings for when it is back.
    until(lambda: guest.counted(dwh, 2), "both orders in the marts")


def test_a_form_that_makes_no_sense_is_refused(airflow: AirflowApi) -> None:
    refused = airflow.trigger({"messages": 0})
    assert refused.status_code == 400
    assert "messages" in refused.text


def test_a_cleared_run_does_its_own_work_again_and_changes_nothing(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza], number=1)
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    run = run_that_took(airflow, dwh, guest)
    before = actual(dwh)

    airflow.clear(run["dag_run_id"])
    again = airflow.over(run["dag_run_id"])

    assert again["state"] == "success"
    assert_equal(before, actual(dwh))
    for task in ("drain", "vault", *MARTS):
        outcome = airflow.outcome(run["dag_run_id"], task)
        assert outcome["repeated"] == outcome["batches"] > 0, task
    assert airflow.outcome(run["dag_run_id"], "drain")["counts"]["healed"] == 0


def test_a_cleared_task_puts_back_what_was_lost(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza], number=1)
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    run = run_that_took(airflow, dwh, guest)
    before = actual(dwh)
    lost = dwh.execute(
        "DELETE FROM stg.order_events WHERE position(%s::bytea IN message) > 0",
        (guest.id.encode(),),
    )
    assert lost.rowcount == 1

    airflow.clear(run["dag_run_id"], ["drain"])
    airflow.over(run["dag_run_id"])

    assert airflow.outcome(run["dag_run_id"], "drain")["counts"]["healed"] == 1
    assert_equal(before, actual(dwh))


def test_a_backfill_beside_the_live_stream_changes_nothing_and_holds_up_nothing(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza], number=1)
    until(lambda: guest.counted(dwh, 1), "the first order in the marts")
    now = datetime.now(UTC)

    backfill = airflow.backfill(now - timedelta(minutes=20), now + timedelta(minutes=5))
    guest.order([guest.pizza], number=2)
    until(lambda: guest.counted(dwh, 2), "an order that came meanwhile")
    until(
        lambda: airflow.get(f"/backfills/{backfill['id']}")["completed_at"],
        "the end of the backfill",
        seconds=300,
    )

    runs = [run for run in airflow.runs() if run["run_type"] == "backfill"]
    assert runs
    assert {run["state"] for run in runs} == {"success"}
    new = [run for run in runs if run["dag_run_id"].startswith("backfill__")]
    notes = [airflow.outcome(run["dag_run_id"], "drain")["note"] for run in new]
    assert notes
    assert all(note.startswith("broker time ") for note in notes), notes
    assert guest.counted(dwh, 2)


def test_marts_load_while_redis_is_away_and_names_follow(
    stack: Stack, airflow: AirflowApi, dwh: Dwh
) -> None:
    guest = Guest(stack.env())
    guest.enter_dictionaries()
    stack.supervisor.stop("redis")
    try:
        guest.order([guest.pizza], number=1)
        rows = [("?", 1, 1, PRICE)]  # the name that the order itself has
        until(lambda: guest.products(dwh) == rows, "the dish without its name")
        run = run_that_took(airflow, dwh, guest)
        tasks = airflow.tasks(run["dag_run_id"])
        assert run["state"] == "failed"
        assert tasks["dictionaries"]["state"] == "failed"
        assert {tasks[mart]["state"] for mart in MARTS} == {"success"}
        log = airflow.log(run["dag_run_id"], "dictionaries")
        assert "Redis (the dictionaries) at" in log
        assert "Traceback" not in log
        assert "error_detail" not in log
    finally:
        stack.up_airflow()

    until(lambda: guest.counted(dwh, 1), "the dish with its name and category")


def test_the_bell_rings_again_after_the_broker_was_away(
    stack: Stack, airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    stack.supervisor.stop("kafka")
    log = stack.var / "log" / "triggerer.log"
    seen = log.stat().st_size
    try:
        until(lambda: "The bell can't check" in _end(log, seen), "the bell's complaint")
    finally:
        stack.up_airflow()
    until(lambda: "The bell works again" in _end(log, seen), "the bell at work again")

    # The tick of every five minutes may be first with the one order, not with the next.
    taken_by = []
    for number in (1, 2):
        guest.order([guest.pizza], number=number, partition=0)
        until(lambda n=number: guest.counted(dwh, n), "the order in the marts")
        taken_by.append(run_that_took(airflow, dwh, guest)["run_type"])
    assert "asset_triggered" in taken_by


def _end(path: Any, start: int) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        file.seek(start)
        return file.read()

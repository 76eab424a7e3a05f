"""What people do with runs in Airflow's UI, and the data afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.airflow_api import AirflowApi, Json, until
from tests.e2e.runs import Dwh, damage, is_quiet, watermarks
from tests.e2e.shop import TOPIC, Guest
from tests.model.compare import actual, assert_equal

RELOAD = "orders_history_reload"
REPORT = "report"
_WEEKS = 13

pytestmark = pytest.mark.slow


@pytest.fixture
def paused(airflow: AirflowApi) -> Any:
    """Let nobody but the test start runs of orders_stream."""
    airflow.pause(paused=True)
    until(lambda: is_quiet(airflow), "the end of the runs that go on")
    yield airflow
    airflow.pause(paused=False)


def test_reload_of_a_form_heals_and_reports(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    before = actual(dwh)
    damage(dwh, guest)

    of_reload = airflow.of(RELOAD)
    started = of_reload.trigger(
        {"from": (datetime.now(UTC) - timedelta(hours=2)).isoformat()}
    )
    run = of_reload.over(started.raise_for_status().json()["dag_run_id"])

    assert run["state"] == "success"
    assert_equal(before, actual(dwh))
    found = of_reload.outcome(run["dag_run_id"], REPORT)
    assert found["layers"]["messages"]["healed"] == 1
    assert found["layers"]["user_category_counters"]["healed"] >= 1
    assert found["differing"] == 0
    assert "| layer | compared" in of_reload.log(run["dag_run_id"], REPORT)


@pytest.mark.parametrize(
    ("dag", "task", "conf", "sentence"),
    [
        ("orders_stream", "drain", {"message": 5}, "The form has no field 'message'."),
        ("rejected_replay", "replay", {"offset": 160}, "at offset 160"),
        (RELOAD, "choose_mode", {"from": "yesterday"}, "From is 'yesterday', which"),
    ],
)
def test_form_that_cant_be_meant_fails_at_once_with_a_sentence(
    airflow: AirflowApi, dag: str, task: str, conf: Json, sentence: str
) -> None:
    of_dag = airflow.of(dag)
    run_id = of_dag.trigger(conf).raise_for_status().json()["dag_run_id"]

    assert of_dag.over(run_id)["state"] == "failed"
    found = of_dag.tasks(run_id)[task]
    assert (found["state"], found["try_number"]) == ("failed", 1)
    log = of_dag.log(run_id, task)
    assert sentence in log
    assert "Traceback" not in log


def test_reload_of_bytes_that_differ_is_red_and_changes_nothing(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza])
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    of_one = "position(%s::bytea IN message) > 0"
    query = f"UPDATE stg.order_events SET message = message || %s WHERE {of_one}"
    dwh.execute(query, (b" ", guest.id.encode()))
    before = actual(dwh)

    of_reload = airflow.of(RELOAD)
    started = of_reload.trigger({})
    run = of_reload.over(started.raise_for_status().json()["dag_run_id"])

    assert run["state"] == "failed"
    assert of_reload.tasks(run["dag_run_id"])[REPORT]["state"] == "failed"
    assert "1 row differs" in of_reload.log(run["dag_run_id"], REPORT)
    assert_equal(before, actual(dwh))
    dwh.execute(
        f"UPDATE stg.order_events SET message = rtrim(message, ' '::bytea)"
        f" WHERE {of_one}",
        (guest.id.encode(),),
    )


def test_reload_is_backfilled_over_three_months_and_backwards(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    # A fresh Airflow may have run the last tick by itself: Mondays, if it is not old.
    now = datetime.now(UTC) - timedelta(weeks=1)
    guest.order([guest.pizza], broker_dt=now - timedelta(days=10))
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    until(lambda: is_quiet(airflow), "the end of the runs that go on")
    before, marks = actual(dwh), watermarks(dwh)
    of_reload = airflow.of(RELOAD)

    def backfill(weeks: int, reprocess: str, *, backwards: bool) -> list[Json]:
        damage(dwh, guest, staged=False)
        # A run is named after the end of its week: this week's is in the future.
        start = now - timedelta(weeks=weeks)
        of_reload.backfilled(
            of_reload.backfill(start, now, reprocess, backwards=backwards)
        )
        runs = [run for run in of_reload.runs() if run["run_type"] == "backfill"]
        assert {run["state"] for run in runs} == {"success"}
        assert_equal(before, actual(dwh))
        assert watermarks(dwh) == marks
        return sorted(runs, key=lambda run: str(run["start_date"]))

    assert len(backfill(_WEEKS, "none", backwards=False)) == _WEEKS

    last = backfill(3, "completed", backwards=True)[-3:]
    ends = [run["run_after"] for run in last]
    assert ends == sorted(ends, reverse=True)


def test_backlog_of_a_pause_goes_through_in_one_run(
    paused: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    airflow = paused
    known = {run["dag_run_id"] for run in airflow.runs()}
    for number in range(5):
        guest.order([guest.pizza], number=number)
    assert not guest.products(dwh)
    assert {run["dag_run_id"] for run in airflow.runs()} == known

    airflow.pause(paused=False)

    until(lambda: guest.counted(dwh, 5), "the backlog in the marts", seconds=360)
    until(lambda: is_quiet(airflow), "the end of the runs")
    took = dwh.execute(
        "SELECT count(DISTINCT s.run_id) FROM ops.stage_runs AS s"
        " INNER JOIN ops.batches AS b USING (stage_run_id)"
        " INNER JOIN ops.batch_ranges AS o USING (batch_id)"
        " INNER JOIN stg.order_events AS e ON e.topic = o.topic"
        " AND e.kafka_partition = o.kafka_partition"
        " AND e.kafka_offset >= o.from_offset AND e.kafka_offset < o.to_offset"
        " WHERE s.stage = 'drain' AND NOT b.is_repeat"
        " AND position(%s::bytea IN e.message) > 0",
        (guest.id.encode(),),
    ).fetchone()
    assert took == (1,)


def test_two_runs_at_once_are_green_and_count_once(
    airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    guest.order([guest.pizza], number=1)
    runs = [airflow.trigger({"topics": [TOPIC]}) for _ in range(3)]
    ended = [airflow.over(run.raise_for_status().json()["dag_run_id"]) for run in runs]
    assert {run["state"] for run in ended} == {"success"}
    until(lambda: guest.counted(dwh, 1), "the order, once")

"""Acts of a person by the command ``airflow``, where people use that."""

from datetime import UTC, datetime, timedelta

import pytest

from deploy.local import airflow_server
from deploy.local.stack import Stack
from tests.e2e.airflow_api import DAG, AirflowApi, until
from tests.e2e.runs import Dwh, damage
from tests.e2e.shop import Guest
from tests.model.compare import actual, assert_equal

pytestmark = pytest.mark.slow


def _airflow(stack: Stack, *words: str) -> None:
    done = airflow_server.run(stack.var, *words)
    assert done.returncode == 0, done.stdout


def test_runs_and_backfills_of_the_shell_do_what_those_of_the_ui_do(
    stack: Stack, airflow: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    guest.order([guest.pizza], broker_dt=at)
    until(lambda: guest.counted(dwh, 1), "the order in the marts")
    before = actual(dwh)
    damage(dwh, guest, staged=False)
    run_id = f"of_the_shell_{guest.id}"

    words = ("--run-id", run_id, "--conf", '{"messages": 10}')
    _airflow(stack, "dags", "trigger", DAG, *words)
    assert airflow.over(run_id)["state"] == "success"
    assert not guest.counted(
        dwh, 1
    )  # a run by hand takes what waits, and heals nothing

    _airflow(
        stack,
        *("backfill", "create", "--dag-id", DAG, "--reprocess-behavior", "completed"),
        *("--from-date", (at - timedelta(minutes=5)).isoformat()),
        *("--to-date", (at + timedelta(minutes=10)).isoformat()),
    )
    newest = airflow.get("/backfills", dag_id=DAG, order_by="-id", limit=1)
    airflow.backfilled(newest["backfills"][0])

    assert_equal(before, actual(dwh))

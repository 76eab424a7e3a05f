"""A run is cleared, marked or deleted in Airflow's UI: the data afterwards."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import psutil
import psycopg
import pytest

from deploy.local import postgres
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from tests.e2e.airflow_api import AirflowApi, until
from tests.e2e.runs import Dwh, damage, held, is_quiet, watermarks
from tests.e2e.shop import TOPIC, Guest
from tests.model.compare import actual, assert_equal

_TICK_SECONDS = 300
_TEST_SECONDS = 90

# The first one may wait for the stack, and for a tick to be over.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def bell_away(stack: Stack, airflow: AirflowApi) -> Iterator[None]:
    """Let no message start a run; a tick still does."""
    stack.supervisor.stop("triggerer")
    yield
    stack.up_airflow()


@pytest.fixture
def alone(bell_away: None, airflow: AirflowApi) -> AirflowApi:
    """Let nobody but the test start runs, for as long as it takes."""

    def is_long_enough_quiet() -> bool:
        now = datetime.now(UTC).timestamp()
        ticked = now // _TICK_SECONDS * _TICK_SECONDS
        if ticked + _TICK_SECONDS - now < _TEST_SECONDS:
            return False
        return is_quiet(airflow, ticked=datetime.fromtimestamp(ticked, UTC))

    # A tick's run on a busy machine may end too shortly before the next one.
    until(is_long_enough_quiet, "a quiet minute", seconds=2 * _TICK_SECONDS)
    return airflow


@pytest.fixture
def server(stack: Stack) -> Iterator[Dwh]:
    """Connect to PostgreSQL as who sees everybody's sessions."""
    password = Secrets.load(stack.var / "secrets.json").postgres
    dsn = postgres.dsn(stack.ports.postgres, "postgres", password, "dwh")
    with psycopg.connect(dsn, autocommit=True) as found:
        yield found


def _waiting(server: Dwh) -> psutil.Process | None:
    """Return the process of the task that waits for a stage's lock."""
    row = server.execute(
        "SELECT a.client_port FROM pg_locks AS l INNER JOIN pg_stat_activity AS a"
        " USING (pid) WHERE l.locktype = 'advisory' AND NOT l.granted"
    ).fetchone()
    return next(
        (
            psutil.Process(one.pid)
            for one in psutil.net_connections("tcp")
            if row and one.pid and one.laddr.port == row[0]
        ),
        None,
    )


def _start(airflow: AirflowApi) -> str:
    started = airflow.trigger({"topics": [TOPIC]}).raise_for_status()
    run_id: str = started.json()["dag_run_id"]
    return run_id


def _tries(airflow: AirflowApi, run_id: str) -> dict[str, int]:
    return {name: task["try_number"] for name, task in airflow.tasks(run_id).items()}


def test_task_cleared_with_downstream_heals_what_follows_it(
    alone: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    airflow = alone
    guest.order([guest.pizza])
    run_id = _start(airflow)
    airflow.over(run_id)
    before, marks = actual(dwh), watermarks(dwh)
    damage(dwh, guest)
    airflow.clear(run_id, ["drain"])
    airflow.over(run_id)  # STG is whole again, the vault and the marts are not
    tries = _tries(airflow, run_id)

    airflow.clear(run_id, ["vault"], downstream=True)
    run = airflow.over(run_id)

    assert run["state"] == "success"
    assert_equal(before, actual(dwh))
    assert watermarks(dwh) == marks
    again = {
        task for task, number in _tries(airflow, run_id).items() if number > tries[task]
    }
    assert again == tries.keys() - {"drain"}


def test_cleared_run_that_took_nothing_names_the_run_that_did(
    alone: AirflowApi, guest: Guest
) -> None:
    airflow = alone
    guest.order([guest.pizza])
    took = _start(airflow)
    airflow.over(took)
    seen = _start(airflow)
    airflow.over(seen)
    assert airflow.outcome(seen, "drain")["note"] == ""

    airflow.clear(seen, ["drain"])
    airflow.over(seen)

    note = airflow.outcome(seen, "drain")["note"]
    assert note.startswith("This run has taken nothing")
    assert f" by {took}." in note


@pytest.mark.parametrize("state", ["success", "failed"])
def test_run_marked_before_it_took_anything_moves_nothing_and_is_cleared(
    alone: AirflowApi, dwh: Dwh, server: Dwh, guest: Guest, state: str
) -> None:
    airflow = alone
    guest.order([guest.pizza])
    marks = watermarks(dwh)
    with held(dwh, "drain"):
        run_id = _start(airflow)
        drain = until(lambda: _waiting(server), "the drain at the lock")
        airflow.mark(run_id, state)
        # Airflow ends the process of a task that it no longer counts as running.
        until(lambda: not drain.is_running(), "the end of the drain")

    assert airflow.over(run_id)["state"] == state
    assert watermarks(dwh) == marks
    assert not guest.products(dwh)

    airflow.clear(run_id)
    run = airflow.over(run_id)

    assert run["state"] == "success"
    drained = airflow.outcome(run_id, "drain")
    assert (drained["repeated"], drained["counts"]) == (0, {"messages": 1})
    assert guest.counted(dwh, 1)


def test_task_marked_as_success_is_done_by_the_next_run(
    alone: AirflowApi, dwh: Dwh, server: Dwh, guest: Guest
) -> None:
    airflow = alone
    guest.order([guest.pizza])
    with held(dwh, "vault"):
        run_id = _start(airflow)
        vault = until(lambda: _waiting(server), "the vault at its lock")
        marks = watermarks(dwh)
        airflow.mark(run_id, "success", "vault")
        until(lambda: not vault.is_running(), "the end of the vault")
    run = airflow.over(run_id)

    assert run["state"] == "success"
    assert watermarks(dwh) == marks
    assert not guest.products(dwh)

    assert airflow.over(_start(airflow))["state"] == "success"
    assert guest.counted(dwh, 1)


def test_finished_run_marked_and_deleted_changes_no_data(
    alone: AirflowApi, dwh: Dwh, guest: Guest
) -> None:
    airflow = alone
    guest.order([guest.pizza], number=1)
    run_id = _start(airflow)
    assert airflow.over(run_id)["state"] == "success"
    assert guest.counted(dwh, 1)
    before, marks = actual(dwh), watermarks(dwh)

    for state in ("failed", "success"):
        airflow.mark(run_id, state)
        airflow.mark(run_id, state, "vault")
        assert airflow.over(run_id)["state"] == state
    airflow.delete(run_id)

    with pytest.raises(httpx.HTTPStatusError, match="404"):
        airflow.run(run_id)
    assert_equal(before, actual(dwh))
    assert watermarks(dwh) == marks

    guest.order([guest.pizza], number=2)
    assert airflow.over(_start(airflow))["state"] == "success"
    assert guest.counted(dwh, 2)

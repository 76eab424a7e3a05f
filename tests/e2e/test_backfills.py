"""Backfills of orders_stream, beside live runs, and the data afterwards."""

from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.stack import Stack
from tests.e2e.airflow_api import AirflowApi, Json, until
from tests.e2e.runs import Dwh, damage
from tests.e2e.shop import Guest
from tests.model.compare import actual, assert_equal
from tests.model.tables import Tables

_TICK = timedelta(minutes=5)
_TICKS_OF_AN_HOUR = 12

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hour() -> tuple[datetime, datetime]:
    """Give the first and the last tick of an hour in which nobody ran anything."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    first = now - timedelta(hours=6)
    return first, first + (_TICKS_OF_AN_HOUR - 1) * _TICK


def _runs(airflow: AirflowApi, hour: tuple[datetime, datetime]) -> dict[str, Json]:
    """Return the runs of the hour, the first tick first."""
    found = airflow.runs(
        run_after_gte=hour[0].isoformat(),
        run_after_lte=hour[1].isoformat(),
        order_by="run_after",
    )
    return {run["dag_run_id"]: run for run in found}


def _those_in(before: Tables, after: Tables) -> Tables:
    """Return the rows that were there before, as often as they are now."""
    known = {table: set(rows) for table, rows in before.items()}
    return {
        table: [row for row in rows if row in known[table]]
        for table, rows in after.items()
    }


def _drains(airflow: AirflowApi, runs: dict[str, Json]) -> dict[str, int]:
    """Return how often each run has drained."""
    return {run_id: airflow.tasks(run_id)["drain"]["try_number"] for run_id in runs}


def test_backfill_of_an_hour_takes_and_heals_what_is_missing_beside_live_runs(
    stack: Stack,
    airflow: AirflowApi,
    dwh: Dwh,
    guest: Guest,
    hour: tuple[datetime, datetime],
) -> None:
    for number, minutes in enumerate((2, 31, 54)):
        at = hour[0] - _TICK + timedelta(minutes=minutes)
        guest.order([guest.pizza], number=number, broker_dt=at)
    until(lambda: guest.counted(dwh, 3), "the orders of that hour in the marts")
    before = actual(dwh)
    damage(dwh, guest, staged=False)

    backfill = airflow.backfill(*hour, "none", backwards=True)
    live = Guest(stack.env())
    live.enter_dictionaries()
    live.order([live.pizza])
    until(lambda: live.counted(dwh, 1), "an order that came meanwhile")
    airflow.backfilled(backfill)

    runs = _runs(airflow, hour)
    assert len(runs) == _TICKS_OF_AN_HOUR
    assert {run["state"] for run in runs.values()} == {"success"}
    begun = [run["start_date"] for run in runs.values()]
    assert begun[-1] < begun[0]  # backwards
    assert guest.counted(dwh, 3)
    healed = [
        airflow.outcome(run_id, "vault")["counts"].get("s_order_version", 0)
        for run_id in runs
    ]
    assert sum(healed) in (3, 4)  # one of these runs may take the live order too
    assert_equal(before, _those_in(before, actual(dwh)))


@pytest.mark.parametrize(
    ("reprocess", "failed", "repeated"),
    [
        pytest.param("none", 3, set(), id="none: a run that is there stays"),
        pytest.param("failed", 3, {3}, id="failed: only what was red"),
        pytest.param("completed", 3, {2, 3, 4}, id="completed: all of them"),
    ],
)
def test_backfill_over_runs_that_are_there_repeats_those_it_should(
    airflow: AirflowApi,
    dwh: Dwh,
    hour: tuple[datetime, datetime],
    reprocess: str,
    failed: int,
    repeated: set[int],
) -> None:
    airflow.backfilled(airflow.backfill(*hour, "none"))
    runs = _runs(airflow, hour)
    ids = list(runs)
    airflow.mark(ids[failed], "failed")
    before, drains = actual(dwh), _drains(airflow, runs)

    some = (hour[0] + 2 * _TICK, hour[0] + 4 * _TICK)
    airflow.backfilled(airflow.backfill(*some, reprocess))

    again = _drains(airflow, runs)
    assert {ids.index(run) for run in ids if again[run] > drains[run]} == repeated
    assert_equal(before, actual(dwh))

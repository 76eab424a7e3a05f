"""A day of 50,000 orders is backfilled beside a live stream, on a damaged warehouse.

The simulator knows what the marts must be. ``PALATE_TEST_ORDERS`` gives another number.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from deploy.local.stack import Stack
from palate.reads.status import status
from palate.settings import load_settings
from tests.damage import DAMAGE
from tests.e2e.airflow_api import AirflowApi, until

_ORDERS = int(os.environ.get("PALATE_TEST_ORDERS", "50000"))
_LIVE_ORDERS_A_MINUTE = 60
_DAY = timedelta(days=1)
_TICK = timedelta(minutes=5)


pytestmark = [pytest.mark.slow, pytest.mark.timeout(7_200)]


@pytest.fixture
def env(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Let the shell's commands find the stack."""
    found = stack.env()
    for name, value in (found | {"PALATE_VAR": str(stack.var)}).items():
        monkeypatch.setenv(name, value)
    return found


def _palate(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("palate")), *arguments]


@contextmanager
def _live_stream() -> Iterator[None]:
    rate = ("--demo", "--rate", str(_LIVE_ORDERS_A_MINUTE), "--json")
    with subprocess.Popen(_palate("simulate", "live", *rate)) as live:
        try:
            yield
            assert live.poll() is None, "the live stream has ended"
        finally:
            live.send_signal(signal.SIGINT)


def _is_all_counted() -> bool:
    logs = status(load_settings()).logs
    return sum(log.staged for log in logs) > 0 and not any(log.lag for log in logs)


def test_backfill_of_a_day_beside_a_live_stream_ends_with_the_truth(
    env: dict[str, str],
) -> None:
    now = datetime.now(UTC)
    # A run looks at what is before its tick; the simulator's last are at the very end.
    end = now - (now - datetime.min.replace(tzinfo=UTC)) % _TICK
    until_dt = end - timedelta(seconds=1)
    day = ("--days", f"{_DAY / timedelta(days=1)}", "--until", f"{until_dt:%F %T}")
    subprocess.run(_palate("simulate", "dictionaries", *day), check=True)
    history = ("--orders", str(_ORDERS), "--own-time", "--demo")
    subprocess.run(_palate("simulate", "history", *history, *day), check=True)
    until(_is_all_counted, "the day in the marts", seconds=900)
    with psycopg.connect(env["DWH_DSN"], autocommit=True) as dwh:
        lost = [dwh.execute(statement).rowcount for statement in DAMAGE]
    assert all(lost), lost

    api = AirflowApi(env["AIRFLOW_URL"], env["AIRFLOW_USER"], env["AIRFLOW_PASSWORD"])
    begun = datetime.now(UTC)
    with _live_stream():
        # Its ends are those of the first and of the last run's interval.
        backfill = api.backfill(end - _DAY + _TICK, end, "completed")
        until(
            lambda: api.get(f"/backfills/{backfill['id']}")["completed_at"],
            "the end of the backfill",
            seconds=6_000,
        )
    took = datetime.now(UTC) - begun
    until(_is_all_counted, "the live orders in the marts", seconds=300)

    runs = api.get("/dags/orders_stream/dagRuns", run_type="backfill", limit=1)
    red = api.get("/dags/orders_stream/dagRuns", run_type="backfill", state="failed")
    print(f"{runs['total_entries']} runs in {took}; damaged rows: {lost}")
    assert runs["total_entries"] == _DAY / _TICK
    assert red["total_entries"] == 0
    compare = _palate("simulate", "truth", "--compare", "--wait", "60")
    subprocess.run(compare, check=True)
    subprocess.run(_palate("reconcile"), check=True)

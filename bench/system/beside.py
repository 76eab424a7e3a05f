"""How long a message takes to both marts beside a large backfill, and without one."""

from dataclasses import dataclass
from datetime import timedelta

from bench.services import Services, console, now
from bench.system import latency
from bench.system.latency import Latency
from deploy.local import airflow_server

_DAG = "orders_stream"
_RUNS_AN_HOUR = 12


@dataclass
class Beside:
    """The latency in both cases, and how many runs were over at the end."""

    alone: Latency
    beside: Latency
    runs: int
    over: int


def measure(services: Services, *, messages: int, every: float, hours: int) -> Beside:
    """Send messages alone; then start a backfill and send as many again.

    :raises RuntimeError: if a message does not arrive, or Airflow refuses the backfill
    """
    alone = latency.measure(services, messages=messages, every=every)
    end = now()
    done = airflow_server.run(
        services.stack.var,
        *("backfill", "create", f"--dag-id={_DAG}"),
        f"--from-date={(end - timedelta(hours=hours)).isoformat()}",
        f"--to-date={end.isoformat()}",
    )
    if done.returncode:
        raise RuntimeError(f"The backfill was not made: {done.stdout[-2000:]}")
    console.print(f"A backfill of {hours * _RUNS_AN_HOUR} runs has begun.")
    beside = latency.measure(services, messages=messages, every=every)
    with services.superuser("airflow") as conn:
        runs, over = conn.execute(
            "SELECT count(*), count(*) FILTER (WHERE state IN ('success', 'failed'))"
            " FROM dag_run WHERE run_type = 'backfill'"
        ).fetchone() or (0, 0)
    return Beside(alone, beside, runs, over)


def show(found: Beside) -> None:
    """Print the percentiles of both, and the ratio."""
    for percent in (50, 90, 99):
        alone = found.alone.to_marts.percentile(percent)
        beside = found.beside.to_marts.percentile(percent)
        print(
            f"p{percent}: {alone:.2f} s alone, {beside:.2f} s beside the backfill: "
            f"{beside / alone:.1f} times"
        )
    print(f"Meanwhile {found.over} of {found.runs} runs of the backfill were over.")

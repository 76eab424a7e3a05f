"""What the running stack does while there is nothing to do."""

import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich import box
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from bench.machine import cpu_seconds
from bench.services import Services, console, now
from deploy.local.airflow_server import REPOSITORY

_MOST_CPU = 0.25
_MOST_PARSE_SECONDS = 0.1
_PARSES = 3
_DAGS = REPOSITORY / "dags"
# Plugins and their imports are part of the parse. Airflow is not, nor is the garbage
# collector's pass over Airflow's objects.
_PARSE = """
import gc, sys, time
import airflow.serialization.definitions.dag, airflow.timetables.trigger
from airflow.dag_processing.dagbag import DagBag
gc.collect()
gc.freeze()
start = time.process_time()
errors = DagBag(sys.argv[1]).import_errors
assert not errors, errors
print(time.process_time() - start)
"""


@dataclass
class Idle:
    """What was seen; CPU in cores, of a parse in seconds."""

    seconds: float
    cpu: dict[str, float]
    runs: Counter[tuple[str, str]]
    new_versions: int
    parses: dict[str, list[float]]


def measure(services: Services, *, minutes: float, settle: float) -> Idle:
    """Start Airflow, let it settle, and watch it.

    :param settle: minutes before the watch
    """
    console.print("Starting Airflow ...")
    services.stack.up_airflow()
    with Progress(console=console) as progress:
        bar = progress.add_task("Getting calm", total=settle * 60)
        _wait(settle * 60, progress, bar)
        bar = progress.add_task("Watching", total=minutes * 60)
        before, versions = _cpu(services), _versions(services)
        begun = time.monotonic()
        began_dt = now()
        _wait(minutes * 60, progress, bar)
        seconds = time.monotonic() - begun
        after = _cpu(services)
    return Idle(
        seconds,
        {part: (after[part] - before[part]) / seconds for part in before},
        _runs(services, began_dt),
        _versions(services) - versions,
        {path.name: _parse_seconds(path) for path in sorted(_DAGS.glob("*.py"))},
    )


def show(idle: Idle) -> None:
    """Print a table, with the limits."""
    table = Table("what", "seen", "asked for", box=box.SIMPLE_HEAD)
    for part, cores in sorted(idle.cpu.items(), key=lambda item: -item[1]):
        table.add_row(f"CPU of {part}", f"{cores:.1%} of a core", "")
    total = sum(idle.cpu.values())
    asked = f"< {_MOST_CPU:.0%}: {_verdict(total < _MOST_CPU)}"
    table.add_row("CPU of all", f"{total:.1%} of a core", asked)
    for (dag_id, kind), number in sorted(idle.runs.items()):
        every = f"one in {idle.seconds / number:.0f} s"
        table.add_row(f"runs of {dag_id}, {kind}", f"{number} ({every})", "")
    others = sum(n for (_, kind), n in idle.runs.items() if kind != "scheduled")
    table.add_row("runs not due by time", f"{others}", f"0: {_verdict(not others)}")
    table.add_row(
        "new versions of DAGs",
        f"{idle.new_versions}",
        f"0: {_verdict(not idle.new_versions)}",
    )
    for name, found in idle.parses.items():
        middle = sorted(found)[len(found) // 2]
        asked = f"< {_MOST_PARSE_SECONDS * 1000:.0f}"
        table.add_row(
            f"parse of {name}, ms of CPU",
            f"{middle * 1000:.0f} (median of {len(found)})",
            f"{asked}: {_verdict(middle < _MOST_PARSE_SECONDS)}",
        )
    Console(width=100).print(table)


def _wait(seconds: float, progress: Progress, bar: TaskID) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        pause = min(left, 1)
        time.sleep(pause)
        progress.advance(bar, pause)


def _cpu(services: Services) -> dict[str, float]:
    states = services.stack.states()
    return {one.name: cpu_seconds(one.pid) for one in states}


def _versions(services: Services) -> int:
    with services.airflow() as conn:
        row = conn.execute("SELECT count(*) FROM dag_version").fetchone()
    return int(row[0]) if row else 0


def _parse_seconds(path: Path) -> list[float]:
    """Parse a file in fresh processes; return the CPU seconds of each."""
    folders = [REPOSITORY / "include", REPOSITORY / "plugins"]
    with TemporaryDirectory() as home:
        env = os.environ | {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": ":".join(str(folder) for folder in folders),
        }
        command = [sys.executable, "-c", _PARSE, str(path)]
        return [
            float(subprocess.check_output(command, env=env, text=True).split()[-1])
            for _ in range(_PARSES)
        ]


def _runs(services: Services, since: datetime) -> Counter[tuple[str, str]]:
    with services.airflow() as conn:
        rows = conn.execute(
            "SELECT dag_id, run_type, count(*) FROM dag_run WHERE queued_at >= %s"
            " GROUP BY dag_id, run_type",
            (since,),
        )
        return Counter({(dag_id, kind): number for dag_id, kind, number in rows})


def _verdict(holds: bool) -> str:
    return "pass" if holds else "FAIL"

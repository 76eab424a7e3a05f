"""Two workers on one backlog, against one: the gain, stage by stage.

A stage has one run at a time, by its lock. So a third case shows the most that two runs
could gain: each loads half of the partitions into a database of its own.
"""

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.broker import make_topic, send
from bench.samples import Samples
from bench.services import Services, console, now
from palate.engine.outcome import Caller
from palate.landing import drain
from palate.landing.drain import Limits
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.settings import load_settings
from palate.vault import stage as vault
from tests.food import FOOD

ONE, TWO, APART = "one", "two", "apart"
_PARTITIONS = 6
_HALVES = (tuple(range(0, _PARTITIONS, 2)), tuple(range(1, _PARTITIONS, 2)))
_DATABASES = {
    ONE: ("bench_one",),
    TWO: ("bench_two", "bench_two"),
    APART: ("bench_half_0", "bench_half_1"),
}


@dataclass(frozen=True)
class Work:
    """What one worker does: a stage, or marts, of a database."""

    database: str
    stages: tuple[str, ...]
    partitions: tuple[int, ...] | None = None


@dataclass
class Times:
    """Seconds of each stage in each case."""

    stages: dict[str, dict[str, Samples]] = field(default_factory=dict)

    def add(self, stage: str, case: str, seconds: float) -> None:
        """Add one measurement."""
        cases = self.stages.setdefault(stage, {})
        cases.setdefault(case, Samples()).values.append(seconds)


def measure(services: Services, *, messages: int, repetitions: int) -> Times:
    """Load the same messages in each case, stage after stage, in turns."""
    topic = f"bench-orders-{now():%Y%m%dT%H%M%S}"
    bootstrap = services.settings("postgres", topic).kafka_bootstrap
    make_topic(bootstrap, topic, _PARTITIONS)
    services.fill_dictionary(messages)
    send(bootstrap, topic, 0, messages, _PARTITIONS)
    times = Times()
    for number in range(1, repetitions + 1):
        for database in sorted({name for case in _DATABASES.values() for name in case}):
            services.fresh_warehouse(database)
        for stage in ("drain", "vault", "marts"):
            for case in (ONE, TWO, APART):
                services.checkpoint()
                seconds = _together(services, topic, _plan(stage, case))
                times.add(stage, case, seconds)
        console.print(f"{number} of {repetitions}")
    return times


def show(times: Times, messages: int) -> None:
    """Print seconds of one worker, and the speed-up of the other cases."""
    table = Table(
        "stage", "one, s", "two: times as fast", "apart: times as fast", title=None
    )
    for stage, cases in times.stages.items():
        row = [f"{cases[ONE].median:.2f}"]
        for case in (TWO, APART):
            pairs = zip(cases[ONE].values, cases[case].values, strict=True)
            gains = Samples([one / other for one, other in pairs])
            spread = f"{min(gains.values):.2f} to {max(gains.values):.2f}"
            row.append(f"{gains.median:.2f} ({spread})")
        table.add_row(stage, *row)
    Console().print(f"{messages:,} messages", table)


def _plan(stage: str, case: str) -> list[Work]:
    names = tuple(load_marts("food"))
    plan = []
    for index, database in enumerate(_DATABASES[case]):
        stages = (stage,) if stage != "marts" else names
        if stage == "marts" and case == TWO:
            stages = names[index::2]  # as two workers of Celery take them
        half = _HALVES[index] if case == APART else None
        plan.append(Work(database, stages, half))
    return plan


def _together(services: Services, topic: str, plan: Sequence[Work]) -> float:
    """Start a process for each work at once; return when the last one is done."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(plan) + 1)
    ends: SimpleQueue[float] = context.SimpleQueue()
    workers = []
    for work in plan:
        settings = services.settings(work.database, topic)
        values = {
            name: getattr(value, "get_secret_value", lambda value=value: value)()
            for name, value in settings
        }
        worker = context.Process(target=_work, args=(values, work, barrier, ends))
        worker.start()
        workers.append(worker)
    barrier.wait(120)
    start = time.monotonic()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("A worker failed; what it said stands above.")
    return max(ends.get() for _ in workers) - start


def _work(
    values: dict[str, Any], work: Work, barrier: Barrier, ends: SimpleQueue[float]
) -> None:
    settings = load_settings(**values)
    barrier.wait(120)
    for stage in work.stages:
        caller = Caller.in_shell(stage)
        if stage == FOOD.drain:
            drain.run(settings, FOOD, caller, Limits(partitions=work.partitions))
        elif stage == FOOD.vault:
            vault.run(settings, FOOD, caller)
        else:
            marts.run(settings, stage, caller)
    ends.put(time.monotonic())

"""A worker: a process of its own that runs the stages in a loop.

Workers are forked from a server that has imported everything, so that one that is
killed costs a tenth of a second. By hand, with the environment of ``stack.env``::

    python -m tests.faults.worker drain vault
"""

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from palate import database, pipelines
from palate.engine.outcome import Caller, Outcome
from palate.errors import PalateError
from palate.history import rebuild
from palate.landing import drain, replays
from palate.landing import refusals as selection
from palate.marts import gathered
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.publish import stage as publish
from palate.settings import Settings, load_settings
from palate.tags import stage as tags
from palate.vault import stage as vault
from tests.faults import planted, points
from tests.faults.points import Trip
from tests.food import FOOD

log = logging.getLogger(__name__)

MARTS = tuple(load_marts("food"))
STAGES = ("drain", "vault", "dictionaries", *MARTS, "tags", "publish")
# What a person starts, now and then.
REBUILDS = tuple(f"rebuild {name}" for name in MARTS)
# The vault and all marts from STG; whatever differs is approved.
REBUILD_ALL = "anew"
ACTS = ("replay", "sync", *REBUILDS)
ENDLESS = 1_000_000
# The server ends the session of one that sleeps for longer, wherever it is.
SHORT = {"idle_in_transaction_session_timeout": "3s", "idle_session_timeout": "3s"}


@dataclass(frozen=True)
class Job:
    """What a worker does.

    :param folder: where it writes its log and the points it reached
    :param values: the settings, as ``load_settings`` takes them
    :param session: other settings of its PostgreSQL sessions, such as shorter timeouts
    :param worth_a_lane: from how many positions on the vault loads side by side
    :param recount_chunk: of how many orders a recount's guests are in a chunk
    :param run_id: to be one and the same run as others, else every pass is a new one
    :param interval: of a backfill, the broker times it covers
    """

    name: str
    folder: Path
    values: Mapping[str, Any]
    stages: tuple[str, ...] = STAGES
    passes: int = 1
    pause: float = 0.0
    trip: Trip | None = None
    bug: str | None = None
    session: Mapping[str, str] = field(default_factory=dict)
    worth_a_lane: int | None = None
    recount_chunk: int | None = None
    run_id: str = ""
    interval: tuple[datetime, datetime] | None = None

    @property
    def trace(self) -> Path:
        """The file that gets a line for each point the worker reached."""
        return self.folder / f"{self.name}.points"

    @property
    def log(self) -> Path:
        """The file that gets the log."""
        return self.folder / f"{self.name}.log"


def start(job: Job) -> BaseProcess:
    """Start a worker."""
    roots = [str(Path(__file__).parents[2] / part) for part in ("", "include")]
    paths = [*roots, os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, paths)))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work, args=(job,), name=job.name, daemon=True)
    process.start()
    return process


def work(job: Job) -> None:
    """Run the stages again and again; go on after an error that the engine explains.

    Exits by 1 if the last pass had such an error, by 2 after any other one.
    """
    with job.log.open("a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,
    )
    logging.getLogger("kafka").setLevel(logging.WARNING)
    database._SESSION.update(job.session)
    if job.bug:
        planted.plant(job.bug)
    if job.worth_a_lane is not None:
        vault._LEAST_PER_LOADER = job.worth_a_lane
    if job.recount_chunk is not None:
        gathered._CHUNK = job.recount_chunk
    settings = load_settings(**job.values)
    dsn = settings.dwh_dsn.get_secret_value()
    reached = points.watch(job.trip, job.trace, dsn)
    failed = False
    for number in range(job.passes):
        failed = False
        for stage in job.stages:
            run_id = job.run_id or f"{job.name}-{number}"
            reached.stage = stage
            try:
                run_stage(settings, stage, run_id, number + 1, job.interval)
            except PalateError as error:
                failed = True
                log.error("%s: %s: %s", stage, type(error).__name__, error)
            except BaseException:
                log.exception("%s", stage)
                logging.shutdown()
                os._exit(2)
        time.sleep(job.pause)
    log.info("peak memory %s MB", getrusage(RUSAGE_SELF).ru_maxrss // 1024)
    logging.shutdown()
    points.wait_for_the_end()
    os._exit(1 if failed else 0)


def run_stage(
    settings: Settings,
    stage: str,
    run_id: str,
    attempt: int = 1,
    interval: tuple[datetime, datetime] | None = None,
) -> Outcome:
    """Run one stage as a task of a run."""
    caller = Caller("faults", run_id, stage, try_number=attempt, interval=interval)
    known: dict[str, Callable[[Settings, Caller], Outcome]] = {
        "drain": lambda *by: drain.run(by[0], FOOD, by[1]),
        "vault": lambda *by: vault.run(by[0], FOOD, by[1]),
        "dictionaries": pipelines.look_up,
        "sync": pipelines.look_up_all,
        "tags": tags.run,
        "publish": publish.run,
        REBUILD_ALL: _rebuild_all,
        "replay": lambda *asked: replays.run(*asked, selection.Selection()),
    }
    if stage in known:
        return known[stage](settings, caller)
    if stage in REBUILDS:
        return marts.rebuild(settings, stage.removeprefix("rebuild "), caller)
    return marts.run(settings, stage, caller)


def refuse_crash(code: int, job: Job) -> None:
    """Fail if a worker ended by an error that the engine does not explain."""
    if code not in (0, 1, -signal.SIGKILL):
        lines = job.log.read_text().splitlines()[-8:]
        raise RuntimeError(
            "\n".join([f"{job.name} ended by {code}: {job.log}", *lines])
        )


def _rebuild_all(settings: Settings, caller: Caller) -> Outcome:
    outcome = rebuild.build(settings, caller)
    if rebuild.compare(settings, caller).differs:
        rebuild.approve(settings, caller)
    rebuild.swap(settings, caller)
    return outcome


if __name__ == "__main__":
    for stage_name in sys.argv[1:] or STAGES:
        print(run_stage(load_settings(), stage_name, f"shell-{os.getpid()}"))

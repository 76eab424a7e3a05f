"""Load what every task needs once, and let backfills leave room for live runs.

Airflow imports this module whenever one of its components starts. Each task is a fork
of such a component; importing the library and its clients, and compiling the SQL
templates, takes it longer than its work.
"""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

# Airflow would take any other name of this module for a setting.
__all__ = ["task_instance_mutation_hook"]

# Running tasks of backfills, if their pool has that many slots.
_AT_ONCE = 3

_NEEDED_BY_TASKS = (
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.operators.empty",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.timeout",
    "jinja2.ext",
    "palate.monitoring",
    "palate.pipelines",
    "palate.requests",
)
# What DAG files import, so that the fork that reads one finds it loaded.
_NEEDED_BY_DAG_FILES = (
    "palate.check_definitions",
    "palate_airflow.dag_factory",
    "palate_airflow.forms.files",
    "palate_airflow.forms.limits",
    "palate_airflow.forms.rebuild",
    "palate_airflow.forms.replay",
)


def task_instance_mutation_hook(
    task_instance: TaskInstance, dag_run: DagRun | None = None
) -> None:
    """Limit backfills to three running tasks, and let live runs go first.

    A backfill's runs wait for each other in the stages' locks, and each that waits
    there occupies a worker: ten runs would occupy them all. (A tick that had run before
    keeps its name, and its one slot, when a backfill runs it again.)
    """
    if task_instance.run_id.startswith("backfill__"):
        task_instance.pool_slots = slots_of_a_backfill(
            _pool_slots(task_instance, dag_run)
        )
        task_instance.priority_weight = 0


def slots_of_a_backfill(pool_slots: int) -> int:
    """Return how many slots of its pool a backfill's task takes.

    Enough to leave at least a sixteenth of the pool, and one slot, to live runs when no
    further such task fits: of 128 slots 40, of 4 three. A pool of one slot has none to
    leave; there live runs go first.
    """
    most = pool_slots - max(pool_slots // 16, 1)
    for tasks in range(_AT_ONCE, 0, -1):
        slots = most // tasks
        if slots and pool_slots // slots == tasks:
            return slots
    return 1


def _pool_slots(task_instance: TaskInstance, dag_run: DagRun | None) -> int:
    """Return the slots of the task's pool, by the session that creates the run."""
    from airflow.configuration import conf
    from airflow.models.pool import Pool
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    slots = None
    if dag_run is not None and (session := object_session(dag_run)):
        with session.no_autoflush:
            query = select(Pool.slots).where(Pool.pool == task_instance.pool)
            slots = session.scalar(query)
    default: int = conf.getint("core", "default_pool_task_slot_count")
    # A pool without limits has -1.
    return slots if slots is not None and slots > 0 else default


@cache
def _load() -> None:
    for name in _NEEDED_BY_TASKS:
        importlib.import_module(name)
    importlib.import_module("palate.sql").compile_all()
    # An unusable setting fails here, and shows as the DAG file's import error.
    with suppress(ValueError):
        for name in _NEEDED_BY_DAG_FILES:
            importlib.import_module(name)


# Not now: this component is only half imported yet, and may never fork.
os.register_at_fork(before=_load)

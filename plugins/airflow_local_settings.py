"""Load what every task needs once, and let backfills leave room for live runs.

Airflow imports this module whenever one of its parts starts. Each task is a fork of
such a part, and to import the library and its clients, and to compile the templates of
the SQL, takes it longer than its work.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

# Airflow would take over every other name of this module as a setting.
__all__ = ["task_instance_mutation_hook"]

# Of the 128 of the default pool: three such tasks, and 8 slots are left.
_SLOTS_OF_A_BACKFILL = 40

_NEEDED_BY_TASKS = (
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.operators.empty",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.timeout",
    "jinja2.ext",
    "palate.bell",
    "palate.dictionaries",
    "palate.marts",
    "palate.staging",
    "palate.tags",
    "palate.vault",
)


def task_instance_mutation_hook(
    task_instance: TaskInstance, dag_run: DagRun | None = None
) -> None:
    """Let backfills have three tasks at work at once, and live runs go first.

    The runs of a backfill wait for each other in the locks of the stages, and each that
    waits there keeps a worker's hand: ten runs would keep them all. (A tick that had
    run before keeps its name, and its one slot, when a backfill runs it again.)
    """
    if task_instance.run_id.startswith("backfill__"):
        task_instance.pool_slots = _SLOTS_OF_A_BACKFILL
        task_instance.priority_weight = 0


@cache
def _load() -> None:
    for name in _NEEDED_BY_TASKS:
        importlib.import_module(name)
    importlib.import_module("palate.render").compile_all()


# Not now: this part of Airflow is only half imported yet, and may never fork.
os.register_at_fork(before=_load)

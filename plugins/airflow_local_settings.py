"""Load what every task needs once, before the processes of tasks are forked.

Airflow imports this module whenever one of its parts starts. Each task is a fork of
such a part, and to import the library and its clients takes it longer than its work.
"""

import importlib
import os

# Airflow would take over every other name of this module as a setting.
__all__: list[str] = []

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


def _load() -> None:
    for name in _NEEDED_BY_TASKS:
        importlib.import_module(name)


# Not now: this part of Airflow is only half imported yet, and may never fork.
os.register_at_fork(before=_load)

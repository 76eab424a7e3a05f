"""Palate's metrics in Airflow's own; docs/operations.md has the names.

Where nobody receives metrics, nothing is queried for them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats

from palate.names import REFUSED_AS

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

    from palate.engine import Batch
    from palate.reads import status

_SWITCHES = ("statsd_on", "statsd_datadog_enabled", "otel_on")


def are_received() -> bool:
    """Return whether Airflow is set up to send its metrics."""
    return any(conf.getboolean("metrics", name, fallback=False) for name in _SWITCHES)


@contextmanager
def timed(task: RuntimeTaskInstanceProtocol) -> Iterator[dict[str, Any]]:
    """Report how long a task's stage took, including its wait for the lock.

    The body puts into the dictionary what the stage did; if it does not, it failed.
    """
    did: dict[str, Any] = {"outcome": "failed"}
    begun = time.monotonic()
    try:
        yield did
    finally:
        took = timedelta(seconds=time.monotonic() - begun)
        tags = _tags(task) | {"outcome": did["outcome"]}
        stats.timing("palate.stage_duration", took, tags=tags)


def send_batch(task: RuntimeTaskInstanceProtocol, batch: Batch) -> None:
    """Report what a batch counted: rows by kind, and refused messages by reason."""
    repeated = str(batch.is_repeat).lower()
    for name, number in batch.counts.items():
        if not number:
            continue
        if name.startswith(REFUSED_AS):
            tags = {"reason": name.removeprefix(REFUSED_AS), "is_repeat": repeated}
            stats.incr("palate.refused", number, tags=tags)
        else:
            tags = _tags(task) | {"rows": name, "is_repeat": repeated}
            stats.incr("palate.rows", number, tags=tags)


def send_waiting(logs: Iterable[status.LogStatus]) -> None:
    """Report how far the marts are behind in each log, and the age of what waits."""
    for item in logs:
        tags = {"topic": item.topic, "partition": str(item.partition)}
        stats.gauge("palate.lag", item.lag, tags=tags)
        age = item.oldest_waiting_seconds if item.lag else 0
        if age is not None:
            stats.gauge("palate.oldest_waiting_seconds", age, tags=tags)


def _tags(task: RuntimeTaskInstanceProtocol) -> dict[str, Any]:
    return {"dag_id": task.dag_id, "task_id": task.task_id}

"""The watch's last probe as metrics for Prometheus; docs/metrics.md has the names.

What was not seen is left out, never shown as it was.
"""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from palate.incidents import Kind
from palate.monitoring.backlog import LogBacklog
from palate.monitoring.freshness import ASLEEP_SECONDS, Observed
from palate.monitoring.probe import Ledger, Probe, Queues
from palate.monitoring.waiting import OUTLETS
from palate.names import SQL_FOLDER

_LOG = ("area", "topic", "partition")
_COUNTERS: tuple[tuple[str, str, Callable[[LogBacklog], int]], ...] = (
    (
        "palate_arrived_messages",
        "Offsets of the log, from where reading began.",
        lambda log: log.newest,
    ),
    ("palate_staged_messages", "Those in STG.", lambda log: log.staged),
    ("palate_loaded_messages", "Those in the vault.", lambda log: log.loaded),
    ("palate_delivered_messages", "Those in every mart.", lambda log: log.in_marts),
)


class ProbeCollector(Collector):
    """Gives Prometheus what a probe saw."""

    def __init__(self, last_probe: Callable[[], Probe | None]) -> None:
        """Keep where the last probe comes from; it is asked at each scrape."""
        self._last_probe = last_probe
        self._build = _build()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the last probe; of an old one only when it was."""
        yield self._build
        probe = self._last_probe()
        if probe is None:
            return
        yield _gauge(
            "palate_watch_last_probe_timestamp_seconds",
            "When the watch last looked, whatever it saw.",
            (),
            {(): probe.time},
        )
        if time.monotonic() - probe.at > ASLEEP_SECONDS:
            return
        services = {("warehouse",): probe.ledger is not None}
        if probe.ledger:  # else nobody has asked the broker
            services[("broker",)] = probe.observed is not None
        yield _gauge(
            "palate_service_up",
            "Whether the watch saw the warehouse, and the broker.",
            ("service",),
            services,
        )
        if probe.observed:
            yield from _of_logs(probe.observed)
            yield from _of_promises(probe.observed)
        if probe.ledger:
            yield from _of_ledger(probe.ledger)
            if probe.ledger.queues:
                yield from _of_queues(probe.ledger.queues)


def _build() -> Metric:
    newest = max(path.stem[:4] for path in (SQL_FOLDER / "ops/versions").glob("*.sql"))
    return InfoMetricFamily(
        "palate_build",
        "What runs: the newest migration that it has, and Python's version.",
        value={"migration": newest, "python": platform.python_version()},
    )


def _of_logs(observed: Observed) -> Iterator[Metric]:
    logs = {
        (area, one.log.topic, str(one.log.partition)): one
        for area, found in observed.logs.items()
        for one in found
    }
    yield _gauge(
        "palate_lag_messages",
        "Offsets from the end of the log to the mart that is furthest behind.",
        _LOG,
        {labels: one.lag for labels, one in logs.items()},
    )
    yield _gauge(
        "palate_oldest_waiting_seconds",
        "How long the oldest message has waited for a mart; 0 if none waits.",
        _LOG,
        {
            labels: observed.waiting.get(one.log, 0.0) if one.lag else 0.0
            for labels, one in logs.items()
        },
    )
    for name, says, offset_of in _COUNTERS:
        family = CounterMetricFamily(name, says, labels=_LOG)
        for labels, one in logs.items():
            family.add_metric(labels, max(offset_of(one) - one.first, 0))
        yield family


def _of_promises(observed: Observed) -> Iterator[Metric]:
    yield _gauge(
        "palate_promise_kept",
        "Whether no message of the area waits longer than promised.",
        ("area",),
        {(one.area,): one.is_kept for one in observed.promises},
    )
    yield _gauge(
        "palate_promise_target_seconds",
        "Within how many seconds a message is promised to be in the marts.",
        ("area",),
        {(one.area,): one.promised_seconds for one in observed.promises},
    )


def _of_ledger(ledger: Ledger) -> Iterator[Metric]:
    yield _gauge(
        "palate_open_incidents",
        "Incidents that are not over.",
        ("kind",),
        {(kind,): ledger.incidents.get(kind, 0) for kind in Kind},
    )
    yield _gauge(
        "palate_stage_last_batch_timestamp_seconds",
        "When a stage last committed a batch.",
        ("area", "stage"),
        {labels: moment.timestamp() for labels, moment in ledger.batches.items()},
    )


def _of_queues(queues: Queues) -> Iterator[Metric]:
    yield _gauge(
        "palate_refused_messages",
        "Refused messages that were neither replayed with success nor dismissed.",
        ("topic", "reason"),
        queues.refused,
    )
    yield _gauge(
        "palate_waiting_tags",
        "Pairs of guest and tag that are to be evaluated.",
        (),
        {(): queues.waiting["evaluations"]},
    )
    yield _gauge(
        "palate_waiting_ids",
        "Ids that the dictionary does not know yet.",
        (),
        {(): queues.waiting["ids"]},
    )
    yield _gauge(
        "palate_unpublished_items",
        "Guests, or orders, that wait to be published.",
        ("outlet",),
        {(outlet,): queues.waiting[outlet] for outlet in OUTLETS},
    )


def _gauge(
    name: str,
    says: str,
    labels: Iterable[str],
    values: Mapping[Any, float],
) -> Metric:
    family = GaugeMetricFamily(name, says, labels=list(labels))
    for found, value in values.items():
        family.add_metric(found, float(value))
    return family

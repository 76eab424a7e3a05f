"""What became of files, counted from ``ops.imports`` (contract_intake, section 10).

The counts are of the warehouse: each replica says the same, and a restart changes
nothing. A scrape asks nobody: it gets the last counts.
"""

from collections.abc import Iterable
from time import monotonic

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from palate.database import Connection

# A count reads the whole table.
_EVERY_SECONDS = 15.0


class ImportCounts(Collector):
    """The counts of imports by dataset."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._counted_at = -_EVERY_SECONDS
        self._rows: list[tuple[str, str, int, int, int, float]] = []

    def count(self, conn: Connection) -> None:
        """Count again, unless that was done a moment ago."""
        if monotonic() - self._counted_at < _EVERY_SECONDS:
            return
        self._rows = conn.execute(
            "SELECT dataset, state, count(*), sum(loaded)::bigint,"
            " sum(judged_invalid)::bigint,"
            " extract(EPOCH FROM now() - min(received_dt))::float8"
            " FROM ops.imports GROUP BY dataset, state ORDER BY dataset, state"
        ).fetchall()
        self._counted_at = monotonic()

    def collect(self) -> Iterable[Metric]:
        """Return the last counts."""
        imports = GaugeMetricFamily(
            "palate_files_imports", "Imports by state", labels=["dataset", "state"]
        )
        records = CounterMetricFamily(
            "palate_files_records",
            "Records by their judgement",
            labels=["dataset", "outcome"],
        )
        waiting = GaugeMetricFamily(
            "palate_files_waiting", "Files not judged yet", labels=["dataset"]
        )
        oldest = GaugeMetricFamily(
            "palate_files_oldest_waiting_seconds",
            "Age of the oldest file that is not judged yet",
            labels=["dataset"],
        )
        sums: dict[str, tuple[int, int]] = {}
        waits: dict[str, tuple[int, float]] = {}
        for dataset, state, number, loaded, invalid, seconds in self._rows:
            imports.add_metric([dataset, state], number)
            before = sums.get(dataset, (0, 0))
            sums[dataset] = (before[0] + loaded, before[1] + invalid)
            waits.setdefault(dataset, (0, 0.0))
            if state == "received":
                waits[dataset] = (number, seconds)
        for dataset, (loaded, invalid) in sums.items():
            records.add_metric([dataset, "loaded"], loaded)
            records.add_metric([dataset, "invalid"], invalid)
        for dataset, (number, seconds) in waits.items():
            waiting.add_metric([dataset], number)
            oldest.add_metric([dataset], seconds)
        return [imports, records, waiting, oldest]

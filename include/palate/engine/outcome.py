"""Who runs a stage, one of its transactions, and what a run has done."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from palate.counted import counted
from palate.positions import FeedPartition, Range


@dataclass(frozen=True)
class Caller:
    """Who runs a stage: the ledger knows by it which work is whose.

    ``interval`` is set for a backfill only: the broker times to cover. ``on_batch`` is
    called with the stage and each committed batch.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    try_number: int = 1
    interval: tuple[datetime, datetime] | None = None
    on_batch: "Callable[[str, Batch], None] | None" = field(default=None, compare=False)

    @classmethod
    def in_shell(
        cls, task_id: str, on_batch: "Callable[[str, Batch], None] | None" = None
    ) -> "Caller":
        """Return the caller for work that a person starts in a shell."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return cls("shell", f"shell__{now}", task_id, on_batch=on_batch)


@dataclass
class Batch:
    """One transaction of a stage, while it is open."""

    ranges: list[Range]
    is_repeat: bool
    load_dt: datetime
    counts: Counter[str] = field(default_factory=Counter)
    # A recount has no positions: it has done all guests up to this one, of so many.
    done_until: UUID | None = None
    guests: int = 0


@dataclass
class Outcome:
    """What a run of a stage did, for logs, XCom and the ledger."""

    stage: str
    batches: int = 0
    repeated: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ranges: dict[FeedPartition, tuple[int, int]] = field(default_factory=dict)
    note: str = ""
    examples: list[dict[str, Any]] = field(default_factory=list)
    _adding: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, batch: Batch) -> None:
        """Count a committed batch; parallel loaders call it concurrently."""
        with self._adding:
            self._add(batch)

    def _add(self, batch: Batch) -> None:
        self.batches += 1
        self.repeated += batch.is_repeat
        self.counts.update(batch.counts)
        for item in batch.ranges:
            start, end = self.ranges.get(item.log, (item.start, item.end))
            self.ranges[item.log] = (min(start, item.start), max(end, item.end))

    def include(self, other: "Outcome") -> None:
        """Add what another part of the same task did."""
        self.batches += other.batches
        self.repeated += other.repeated
        self.counts.update(other.counts)
        for item, (low, high) in other.ranges.items():
            start, end = self.ranges.get(item, (low, high))
            self.ranges[item] = (min(start, low), max(end, high))
        self.note = " ".join(filter(None, (self.note, other.note)))
        self.examples += other.examples

    def __str__(self) -> str:
        """Return one line for the task's log."""
        if not self.batches:
            return f"{self.stage}: nothing to do. {self.note}".rstrip()
        ranges = ", ".join(str(item) for item in self.as_ranges())
        counts = ", ".join(f"{name} {number}" for name, number in self.counts.items())
        repeated = f" ({self.repeated} repeated)" if self.repeated else ""
        batches = counted(self.batches, "batch", "batches") + repeated
        did = "; ".join(filter(None, (batches, counts, ranges)))
        return f"{self.stage}: {did}. {self.note}".rstrip()

    def as_ranges(self) -> list[Range]:
        """Return what was taken, one range per log."""
        return [Range(item, *ends) for item, ends in sorted(self.ranges.items())]

    def as_dict(self) -> dict[str, Any]:
        """Return the same for XCom and asset events."""
        return {
            "stage": self.stage,
            "outcome": "done" if self.batches else "nothing",
            "batches": self.batches,
            "repeated": self.repeated,
            "counts": dict(self.counts),
            "ranges": [str(item) for item in self.as_ranges()],
            "note": self.note,
        }

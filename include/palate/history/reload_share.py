"""The progress of a reload, for whoever watches it."""

import threading
from dataclasses import dataclass

from palate.database import connect
from palate.engine import Batch, Caller, plans, progress
from palate.landing import restage
from palate.settings import Settings


@dataclass(frozen=True)
class Share:
    """How much of a layer is done, by all attempts, and how much it has in all."""

    done: int
    total: int
    unit: str

    def __str__(self) -> str:
        """Return the text for a log."""
        return f"{self.done:,} of {self.total:,} {self.unit}"


class ReloadProgress:
    """The progress of each layer of a caller's reload, batch by batch."""

    def __init__(self, settings: Settings, caller: Caller) -> None:
        """Keep what is needed to find out how much there is to do."""
        self._settings = settings
        self._caller = caller
        self._shares: dict[str, Share] = {}
        self._changing = threading.Lock()

    def after(self, stage: str, batch: Batch) -> Share:
        """Return a stage's progress after a committed batch."""
        size = sum(len(item) for item in batch.ranges) + batch.counts["guests"]
        with self._changing:
            if seen := self._shares.get(stage):
                share = Share(seen.done + size, seen.total, seen.unit)
            else:
                share = self._first(stage, batch, size)
            self._shares[stage] = share
        return share

    def _first(self, stage: str, batch: Batch, size: int) -> Share:
        with connect(self._settings) as conn:
            plan = plans.planned(conn, self._caller)
            if plan is None:
                return Share(size, size, "positions")
            positions, guests = progress.done(conn, plan, stage)
        if batch.done_until is not None:
            return Share(guests, guests - size + batch.guests, "guests")
        ranges = plan.compared if restage.is_stage(stage) else plan.ranges
        return Share(positions, sum(len(item) for item in ranges), "positions")

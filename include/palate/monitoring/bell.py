"""When a run should start: orders or dictionary entries wait, and no run is active.

Broker and ledger know what waits; nothing is read or kept here. A lost event delays a
run; an extra one starts a run that finds nothing.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from palate.clients import kafka_reader
from palate.database import Connection, connect
from palate.engine import locks
from palate.errors import NotFoundError, PalateError
from palate.landing import dictionaries
from palate.monitoring import backlog
from palate.monitoring.backlog import Seen
from palate.positions import watermarks
from palate.settings import Settings
from palate.sources import Area, catalog

log = logging.getLogger(__name__)

FIRST_PAUSE = 15.0
LONGEST_PAUSE = 300.0
_SECONDS_BETWEEN_ENTRY_CHECKS = 5
# While the broker's ends stay the same, nothing new waits; but a topic may be created
# anew, or a partition be added.
_SECONDS_BETWEEN_CLOSE_CHECKS = 5
_SECONDS_BETWEEN_CHECKS = 0.25
# A trigger that ends waits for the current poll.
_LONGEST_WAIT = 1.0


@dataclass
class RingPolicy:
    """Decides when waiting messages deserve a ring.

    At once when they are new, or when some were taken and some are left; again, with
    growing pauses, while none are taken.
    """

    _progress: object = None
    _rung: float = 0
    _pause: float = 0

    def should_ring(self, is_waiting: bool, progress: object, now: float) -> bool:
        """Return whether to ring now; True counts as a ring.

        :param progress: changes when something was taken
        :param now: seconds of a monotonic clock
        """
        if not is_waiting:
            self._pause = 0
            return False
        if self._pause == 0 or progress != self._progress:
            pause = FIRST_PAUSE
        elif now >= self._rung + self._pause:
            pause = min(self._pause * 2, LONGEST_PAUSE)
        else:
            return False
        self._rung, self._pause, self._progress = now, pause, progress
        return True


class WaitingMessages:
    """Compares the broker with the ledger, with both connections kept open.

    Not thread-safe.
    """

    def __init__(self, settings: Settings, topics: Iterable[str]) -> None:
        """Connect to the warehouse and to the broker.

        :param topics: those of one area
        :raises ServiceUnavailableError: if one of them does not answer
        """
        self._topics = tuple(topics)
        self._area = _area_of(settings, self._topics)
        self._orders = RingPolicy()
        self._entries = RingPolicy()
        self._has_entries = dictionaries.STAGE in self._area.stages
        self._unseen: set[str] = set()
        self._were_entries_due = False
        self._next_entry_check = 0.0
        self._calm_ends: dict[tuple[str, int], int] | None = None
        self._next_close_check = 0.0
        with ExitStack() as opened:
            self._conn = opened.enter_context(connect(settings))
            self._reader = opened.enter_context(
                kafka_reader.open_reader(
                    settings, patience_ms=int(_LONGEST_WAIT * 1000)
                )
            )
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._opened.close()

    def should_ring(self) -> bool:
        """Check once; return whether a run should start.

        :raises PalateError: if the broker or the warehouse does not answer
        """
        now = time.monotonic()
        return self._orders_wait(now) or self._entries_are_due(now)

    def wait(self) -> None:
        """Wait until another check is worth it; if nothing waits, for a message.

        :raises PalateError: if the broker does not answer
        """
        if self._calm_ends is None:
            time.sleep(_SECONDS_BETWEEN_CHECKS)
        else:
            self._reader.wait(self._calm_ends, _LONGEST_WAIT)

    def _orders_wait(self, now: float) -> bool:
        ends = self._reader.ends(self._topics)
        if ends == self._calm_ends and now < self._next_close_check:
            return False
        self._next_close_check = now + _SECONDS_BETWEEN_CLOSE_CHECKS
        # The broker first: otherwise messages taken meanwhile would seem to wait.
        seen = backlog.measure(self._conn, self._reader, self._topics)
        self._warn_of_unseen(seen.unseen)
        is_waiting = self._can_any_be_taken(seen)
        self._calm_ends = None if is_waiting else ends
        if is_waiting and _is_any_running(
            self._conn, (self._area.drain, self._area.vault)
        ):
            # A drain may take them all; the next check finds what it leaves. And while
            # the vault is behind, more runs would only queue for its lock.
            return False
        progress = watermarks(self._conn, self._area.drain) if is_waiting else None
        return self._orders.should_ring(is_waiting, progress, now)

    def _can_any_be_taken(self, seen: Seen) -> bool:
        """Return whether a run would take messages, not counting stopped logs."""
        done = watermarks(self._conn, self._area.drain)
        ahead = [
            log
            for log, ends in seen.logs.items()
            if done.get(log, ends.first) < ends.end
        ]
        return bool(ahead) and bool(
            {str(log) for log in ahead} - backlog.stopped_logs(self._conn).keys()
        )

    def _warn_of_unseen(self, unseen: dict[str, PalateError]) -> None:
        for name in unseen.keys() - self._unseen:
            log.warning("The bell rings for the others only. %s", unseen[name])
        self._unseen = set(unseen)

    def _entries_are_due(self, now: float) -> bool:
        if now < self._next_entry_check or not self._has_entries:
            return False
        self._next_entry_check = now + _SECONDS_BETWEEN_ENTRY_CHECKS
        # Twice in a row: an active run needs no ring.
        were_due, are_due = self._were_entries_due, dictionaries.is_due(self._conn)
        self._were_entries_due = are_due
        return self._entries.should_ring(are_due and were_due, None, now)


def _area_of(settings: Settings, topics: Sequence[str]) -> Area:
    """Return the area that reads topics.

    :raises NotFoundError: if none of those that are on does
    :raises DefinitionError: if one that can't be read may do so
    """
    for area in catalog.areas(settings):
        if set(topics) & catalog.topics(settings, area).keys():
            return area
    catalog.refuse_errors(settings)
    message = (
        f"No area that is on reads {', '.join(topics)}: PALATE_TOPICS or PALATE_AREAS "
        "has changed since the bell began. It is right again after a restart."
    )
    raise NotFoundError(message)


def _is_any_running(conn: Connection, stages: Sequence[str]) -> bool:
    """Return whether a run holds the lock of one of the stages."""
    row = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_locks"
        " WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database"
        " WHERE datname = current_database())"
        " AND (classid::bigint << 32) | objid::bigint IN"
        f" (SELECT {locks.lock_key('stage')} FROM unnest(%s::text[]) AS stage))",
        (list(stages),),
    ).fetchone()
    return bool(row and row[0])

"""Records from the broker to STG, in chunks that know their ranges."""

import gc
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from palate.clients import Reader, Unreadable, kafka_reader, record_batches
from palate.database import Connection
from palate.errors import UnreadableRecordError
from palate.landing.tails import Tail
from palate.positions import FeedPartition, Range
from palate.settings import Settings

COLUMNS = (
    "topic, epoch, kafka_partition, kafka_offset, broker_dt, message, kafka_key,"
    " headers, staged_dt"
)
_TYPES = (
    "text", "int4", "int4", "int8", "timestamptz", "bytea", "bytea", "bytea",
    "timestamptz",
)  # fmt: skip
# A slow broker's records are committed this often; a COPY that takes much longer
# belongs to a hung process, whose session ``stage`` terminates.
_CHUNK_SECONDS = 20.0


class Reading:
    """One pass over the broker, taken in chunks that each know their ranges.

    A log with a tail is read from its tail. None of its records is yielded before the
    tail has come unchanged, with nothing between it and the start.
    """

    def __init__(
        self,
        reader: Reader,
        starts: dict[FeedPartition, int],
        bounds: dict[FeedPartition, int],
        heads: Mapping[FeedPartition, tuple[int, Tail | None]] | None = None,
    ) -> None:
        """Seek to where reading begins.

        :param heads: the offset below its start from which a log is verified, and its
            tail if the broker must still have it
        """
        self.doubted: set[FeedPartition] = set()
        self._reader = reader
        self._at = dict(starts)
        self._bounds = bounds
        self._logs = {(item.topic, item.partition): item for item in starts}
        self._ends = {key: (item, bounds[item]) for key, item in self._logs.items()}
        heads = heads or {}
        self._unproven = {i: starts[i] for i in heads}
        self._tails = {item: tail for item, (_, tail) in heads.items() if tail}
        self._held: list[tuple[FeedPartition, Any]] = []
        self._newest: dict[FeedPartition, Any] = {}
        if starts:
            _freeze()
            begins = starts | {item: at for item, (at, _) in heads.items()}
            reader.seek({(i.topic, i.partition): at for i, at in begins.items()})
        self._polls = reader.records({key: bounds[i] for key, i in self._logs.items()})

    @property
    def is_done(self) -> bool:
        """Return whether all was taken, except doubted and unreadable logs."""
        stopped = self.doubted | self.unreadable.keys()
        return all(
            at >= self._bounds[item] or item in stopped for item, at in self._at.items()
        )

    @property
    def unreadable(self) -> dict[FeedPartition, Unreadable]:
        """Return the logs that can't be read up to their bounds, and why."""
        return {
            item: why
            for item, why in self._unreadable().items()
            if why.start < self._bounds[item] and item not in self.doubted
        }

    @property
    def has_moved(self) -> bool:
        """Return whether positions were passed since the last chunk."""
        return any(at > self._at[item] for item, at in self._reached().items())

    def ahead(self) -> dict[FeedPartition, int]:
        """Wait for the next records; return the first offset of each log in them.

        Empty once all is read. By then, every log that could not be verified is in
        ``doubted``.
        """
        self._wait()
        return self._firsts()

    def take(
        self,
        messages: int,
        settings: Settings,
        deadline: float | None,
        room: Mapping[FeedPartition, int] | None = None,
    ) -> Iterator[tuple[FeedPartition, Any]]:
        """Yield at most this many records; bytes and time end a chunk after a poll.

        :param room: the offset of each log at which a chunk has to end
        """
        number = size = 0
        ends = time.monotonic() + _CHUNK_SECONDS
        if deadline is not None:
            ends = min(ends, deadline)
        while self._wait():
            records = self._held[: messages - number]
            newest = _last_of_each(records)
            if room is not None and any(
                record.offset >= room.get(item, 0) for item, record in newest.items()
            ):
                records = _with_room(records, room)
                newest = _last_of_each(records)
            self._held = self._held[len(records) :]
            yield from records
            self._newest |= newest
            number += len(records)
            size += sum(len(record.value or b"") for _, record in records)
            late = time.monotonic() >= ends
            is_full = number >= messages or size >= settings.palate_drain_bytes
            if self._held or is_full or late:
                return

    def taken(self) -> list[Range]:
        """Return the ranges taken since the last call."""
        ranges = []
        for item, at in self._reached().items():
            if at > self._at[item]:
                ranges.append(Range(item, self._at[item], at))
                self._at[item] = at
        return ranges

    def newest(self) -> dict[FeedPartition, Any]:
        """Return the last record of each log that was yielded since the last call."""
        found, self._newest = self._newest, {}
        return found

    def _firsts(self) -> dict[FeedPartition, int]:
        found = _last_of_each(self._held[::-1])
        return {item: record.offset for item, record in found.items()}

    def _reached(self) -> dict[FeedPartition, int]:
        """Return the next offset of each log that was neither yielded nor passed."""
        held = self._firsts()
        return {
            item: min(held.get(item, self._reader.position(key)), self._bounds[item])
            for key, item in self._logs.items()
            if item not in self.doubted and item not in self._tails
        }

    def _wait(self) -> bool:
        """Wait until records are held; return whether there are any."""
        while not self._held:
            polled = next(self._polls, None)
            if polled is None:
                self._doubt_the_rest()
                return False
            self._held = self._given_out(polled)
        return True

    def _doubt_the_rest(self) -> None:
        """Doubt the logs that are not verified, unless the failure is a passing one."""
        unreadable = self._unreadable()
        broken = {
            item
            for item, why in unreadable.items()
            if why.start < self._unproven.get(item, 0)
            and why.error is UnreadableRecordError
        }
        self.doubted |= broken | (self._tails.keys() - unreadable.keys())

    def _unreadable(self) -> dict[FeedPartition, Unreadable]:
        return {self._logs[key]: why for key, why in self._reader.unreadable.items()}

    def _given_out(self, polled: list[Any]) -> list[tuple[FeedPartition, Any]]:
        ends = self._ends
        found = []
        for record in polled:
            item, end = ends[record.topic, record.partition]
            if record.offset < end:
                found.append((item, record))
        if not self._unproven:
            return found
        return [
            (item, record)
            for item, record in found
            if item not in self._unproven or self._is_proven(item, record)
        ]

    def _is_proven(self, item: FeedPartition, record: Any) -> bool:
        """Check a record of an unverified log; return whether that verified it."""
        if item in self.doubted:
            return False
        tail = self._tails.get(item)
        if tail and tail.is_same(record):
            del self._tails[item]
        elif tail or record.offset < self._unproven[item]:
            self.doubted.add(item)
            self._reader.leave((item.topic, item.partition))
        else:
            del self._unproven[item]
            return True
        return False


def _last_of_each(records: list[tuple[FeedPartition, Any]]) -> dict[FeedPartition, Any]:
    found: dict[FeedPartition, Any] = {}
    before = None
    for item, record in reversed(records):
        if item is not before:  # a dict lookup per record takes twice as long
            found.setdefault(item, record)
            before = item
    return found


def _with_room(
    records: list[tuple[FeedPartition, Any]], room: Mapping[FeedPartition, int]
) -> list[tuple[FeedPartition, Any]]:
    """Return the records before the first one that has no partition in STG."""
    end = next(
        index
        for index, (item, record) in enumerate(records)
        if record.offset >= room.get(item, 0)
    )
    return records[:end]


def copy_records(
    conn: Connection,
    table: str,
    load_dt: datetime,
    rows: Iterable[tuple[FeedPartition, Any]],
) -> int:
    """Stream records into a table by binary COPY; return their number."""
    number = 0
    with (
        conn.cursor() as cursor,
        cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(_TYPES)
        for item, record in rows:
            number += 1
            copy.write_row(
                (
                    item.topic,
                    item.epoch,
                    item.partition,
                    record.offset,
                    kafka_reader.broker_time(record),
                    record.value,
                    record.key,
                    record_batches.pack_headers(record.headers),
                    load_dt,
                )
            )
    return number


@cache
def _freeze() -> None:
    """Exempt what is loaded by now from garbage collection: a tenth faster."""
    gc.freeze()

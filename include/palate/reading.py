"""Records of the broker on their way to STG: in chunks that know their ranges."""

import base64
import gc
import json
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from typing import Any

from palate.database import Connection
from palate.fetching import Unreadable
from palate.kafka import POLL_RECORDS, Reader, broker_time
from palate.positions import Log, Range
from palate.record_batches import Header
from palate.settings import Settings

COLUMNS = (
    "topic, epoch, kafka_partition, kafka_offset, broker_dt, message, kafka_key,"
    " headers, staged_dt"
)
_TYPES = (
    "text", "int4", "int4", "int8", "timestamptz", "bytea", "bytea", "bytea",
    "timestamptz",
)  # fmt: skip
# What a slow broker sends is committed every so often; and a COPY that takes much
# longer is one whose process hangs (``stage`` ends its session).
_CHUNK_SECONDS = 20.0


class Reading:
    """One pass over the broker, taken in chunks that each know their ranges."""

    def __init__(
        self, reader: Reader, starts: dict[Log, int], bounds: dict[Log, int]
    ) -> None:
        self._reader = reader
        self._at = dict(starts)
        self._bounds = bounds
        self._logs = {(item.topic, item.partition): item for item in starts}
        if starts:
            _freeze()
            reader.seek({(i.topic, i.partition): at for i, at in starts.items()})
        self._polls = reader.records({key: bounds[i] for key, i in self._logs.items()})

    @property
    def is_done(self) -> bool:
        """Tell whether every partition is at its bound, or can't be read on."""
        unreadable = self.unreadable
        return all(
            at >= self._bounds[item] or item in unreadable
            for item, at in self._at.items()
        )

    @property
    def unreadable(self) -> dict[Log, Unreadable]:
        """Return the logs that can't be read on below their bounds, and why."""
        return {
            item: why
            for key, why in self._reader.unreadable.items()
            if (item := self._logs[key]) and why.start < self._bounds[item]
        }

    def take(
        self, messages: int, settings: Settings, deadline: float | None
    ) -> Iterator[tuple[Log, Any]]:
        """Yield records up to a number; bytes and time end a chunk after a poll."""
        number = size = 0
        ends = time.monotonic() + _CHUNK_SECONDS
        if deadline is not None:
            ends = min(ends, deadline)
        while True:
            self._reader.poll_records = min(messages - number, POLL_RECORDS)
            polled = next(self._polls, None)
            if polled is None:
                return
            for record in polled:
                item = self._logs[record.topic, record.partition]
                if record.offset < self._bounds[item]:
                    size += len(record.value or b"")
                    number += 1
                    yield item, record
            late = time.monotonic() >= ends
            if number >= messages or size >= settings.palate_drain_bytes or late:
                return

    def taken(self) -> list[Range]:
        """Return what was taken since the last call."""
        ranges = []
        for key, item in self._logs.items():
            at = min(self._reader.position(key), self._bounds[item])
            if at > self._at[item]:
                ranges.append(Range(item, self._at[item], at))
                self._at[item] = at
        return ranges


def copy_records(
    conn: Connection, table: str, load_dt: datetime, rows: Iterable[tuple[Log, Any]]
) -> int:
    """Stream records into a table by binary COPY; return how many."""
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
                    broker_time(record),
                    record.value,
                    record.key,
                    pack_headers(record.headers) if record.headers else None,
                    load_dt,
                )
            )
    return number


def pack_headers(headers: Iterable[Header]) -> bytes:
    """Return headers as STG keeps them: a JSON list of [name, value in base64 or null].

    A name that is no text as ``jsonb`` takes it (not UTF-8, or with a NUL) has U+FFFD
    for what is wrong, and itself in base64 as a third element: nothing is lost.
    """
    packed: list[list[str | None]] = []
    for name, value in headers:
        text = name.decode("utf-8", "replace").replace("\0", "\ufffd")
        pair = [text, None if value is None else base64.b64encode(value).decode()]
        if text.encode() != name:
            pair.append(base64.b64encode(name).decode())
        packed.append(pair)
    return json.dumps(packed).encode()


@cache
def _freeze() -> None:
    """Take what is loaded by now out of the garbage collector: a tenth faster."""
    gc.freeze()

"""The tail of a log: the last staged record, which identifies the log (ADR 0022).

A broker may lose the end of a log and give its offsets to other messages. Offsets alone
don't show that; the record below the watermark does, since it was read before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from palate.clients import Reader, kafka_reader, record_batches
from palate.database import Connection
from palate.errors import UnreadableRecordError
from palate.positions import FeedPartition, Range, messages, retained

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
# Rows of STG that are compared at once, at first and at most.
_FIRST_WINDOW = 64
_LARGEST_WINDOW = 16_384
# Within this many records a surviving one is found after compaction, if all is well.
_ENOUGH = 2_000
# An offset, and the columns of its record's digest.
_STAGED = "kafka_offset, message, kafka_key, headers, broker_dt"


@dataclass(frozen=True)
class Tail:
    """The last staged record of a log; its leader epoch is -1 if unknown."""

    offset: int
    leader_epoch: int
    digest: bytes

    def is_same(self, record: Any) -> bool:
        """Return whether the broker's record is the one that was staged."""
        epochs = {self.leader_epoch, record.leader_epoch}
        return (
            record.offset == self.offset
            and (len(epochs) == 1 or min(epochs) < 0)
            and of_record(record).digest == self.digest
        )


@dataclass(frozen=True)
class Finding:
    """The result of comparing a log with STG.

    ``lost_from`` is the first offset that was lost or replaced, None if none was;
    ``tail`` the newest record that is on the broker as it was staged.
    """

    lost_from: int | None
    tail: Tail | None


def of_record(record: Any) -> Tail:
    """Return a broker's record as a tail."""
    digest = _digest(
        record.value,
        record.key,
        record_batches.pack_headers(record.headers),
        kafka_reader.broker_time(record),
    )
    return Tail(record.offset, record.leader_epoch, digest)


def tails(
    conn: Connection, logs: Mapping[FeedPartition, int]
) -> dict[FeedPartition, Tail]:
    """Return the tail of each log that has one.

    Where none was kept, STG's newest row below the log's watermark serves as one.
    """
    found: dict[FeedPartition, Tail] = {}
    unproven = set()
    for *log, offset, leader_epoch, digest in conn.execute(
        "SELECT topic, epoch, kafka_partition, last_offset, last_leader_epoch,"
        " last_digest FROM ops.logs WHERE last_offset IS NOT NULL"
        " AND topic = ANY(%s)",
        (list({item.topic for item in logs}),),
    ):
        if digest is None:
            unproven.add(FeedPartition(*log))
        elif FeedPartition(*log) in logs:
            found[FeedPartition(*log)] = Tail(offset, leader_epoch, digest)
    looked_up: dict[FeedPartition, Tail | None] = {}
    for item in logs.keys() - found.keys() - unproven:
        row = messages.newest(conn, _STAGED, Range(item, 0, logs[item]))
        looked_up[item] = Tail(row[0], -1, _digest(*row[1:])) if row else None
    note(conn, looked_up)  # empty logs too: later runs need not search
    return found | {item: tail for item, tail in looked_up.items() if tail}


def note(conn: Connection, found: Mapping[FeedPartition, Tail | None]) -> None:
    """Keep the tails of logs; None for a log that can't be verified."""
    if not found:
        return
    kept = found.values()
    conn.execute(
        "INSERT INTO ops.logs AS l (topic, epoch, kafka_partition, last_offset,"
        " last_leader_epoch, last_digest) SELECT * FROM unnest(%s::text[],"
        " %s::integer[], %s::integer[], %s::bigint[], %s::integer[], %s::bytea[])"
        " ON CONFLICT (topic, epoch, kafka_partition) DO UPDATE"
        " SET last_offset = excluded.last_offset,"
        " last_leader_epoch = excluded.last_leader_epoch,"
        " last_digest = excluded.last_digest",
        (
            [item.topic for item in found],
            [item.epoch for item in found],
            [item.partition for item in found],
            [tail.offset if tail else -1 for tail in kept],
            [tail.leader_epoch if tail else -1 for tail in kept],
            [tail.digest if tail else None for tail in kept],
        ),
    )


def examine(
    conn: Connection,
    reader: Reader,
    item: FeedPartition,
    state: tuple[int, int],
    first: int,
    watermark: int,
    tail: Tail | None,
) -> Finding:
    """Compare a log with what was staged of it, from the watermark downward.

    The log is intact up to the newest record that is the same. A record that only the
    broker lacks proves nothing: it may have been compacted away.

    :param state: the first offset that the broker keeps, and its end
    :param first: where the log began to be read
    """
    begin, end = state
    floor = max(begin, first, retained.first_offsets(conn).get(item, 0))
    if tail and tail.offset >= begin:
        floor = min(floor, tail.offset)
    lost_from = end if end < watermark else None
    high, width, seen = watermark, _FIRST_WINDOW, 0
    while high > floor and (lost_from is not None or seen < _ENOUGH):
        low = max(_window(conn, item, high, width), floor)
        there = _on_broker(reader, item, low, min(high, end))
        staged = _staged(conn, item, low, high)
        if tail and low <= tail.offset < high:
            staged[tail.offset] = tail.digest
        for offset in sorted(there.keys() | staged.keys(), reverse=True):
            found = there.get(offset)
            if found is None:
                if offset >= end:
                    lost_from = offset
            elif found.digest != staged.get(offset):
                lost_from = offset
            elif tail is None or not 0 <= tail.leader_epoch < found.leader_epoch:
                # Records appended under a later leader were sent again.
                return Finding(None if lost_from is None else offset + 1, found)
        high, width, seen = low, min(width * 4, _LARGEST_WINDOW), seen + width
    if lost_from is None:
        return Finding(None, None)
    return Finding(min(floor, lost_from), None)


def _window(conn: Connection, item: FeedPartition, high: int, rows: int) -> int:
    """Return the offset from which STG has this many rows of a log below ``high``."""
    low = 0
    below = Range(item, 0, high)
    for piece in messages.pieces(conn, [below], newest_first=True):
        found = messages.select(
            conn,
            piece,
            "SELECT kafka_offset FROM {messages} ORDER BY kafka_offset DESC"
            " LIMIT %(rows)s",
            rows=rows,
        ).fetchall()
        low = found[-1][0] if found else low
        rows -= len(found)
        if not rows:
            break
    return int(low)


def _on_broker(
    reader: Reader, item: FeedPartition, low: int, high: int
) -> dict[int, Tail]:
    """Read a part of a log, without unreadable records.

    :raises PalateError: if the broker does not send it
    """
    key = (item.topic, item.partition)
    found: dict[int, Tail] = {}
    at: int | None = low
    while at is not None and at < high:
        reader.seek({key: at})
        for polled in reader.records({key: high}):
            found |= {r.offset: of_record(r) for r in polled if r.offset < high}
        why = reader.unreadable.get(key)
        if why and why.error is not UnreadableRecordError:
            raise why.error(why.sentence(*key))
        at = why.end if why else None
    return found


def _staged(
    conn: Connection, item: FeedPartition, low: int, high: int
) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for piece in messages.pieces(conn, [Range(item, low, high)]):
        rows = messages.select(conn, piece, f"SELECT {_STAGED} FROM {{messages}}")
        found |= {offset: _digest(*values) for offset, *values in rows}
    return found


def _digest(
    value: bytes | None,
    key: bytes | None,
    headers: bytes | None,
    broker_dt: datetime,
) -> bytes:
    found = sha256(b"%d" % ((broker_dt - _EPOCH_START) // timedelta(microseconds=1)))
    for part in (value, key, headers):
        # Length-prefixed: no two records can have the same bytes.
        found.update(b"|null" if part is None else b"|%d|" % len(part))
        found.update(part or b"")
    return found.digest()

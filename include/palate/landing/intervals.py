"""Broker times as positions.

STG has the broker time of all that is staged, the broker that of all it still has.
Either may have lost what the other has, so both are queried.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from palate.clients import Reader
from palate.database import Connection
from palate.positions import FeedPartition, Range, messages

# Positions of one interval further apart than this become two ranges: one record with
# an odd time must not pull in all that lies between.
_ISLANDS_APART = 20_000


def staged_at(
    conn: Connection, logs: Iterable[str], start: datetime, end: datetime
) -> list[Range]:
    """Return the positions of an interval by STG's own broker times.

    Adjacent offsets that STG lacks are included: their rows may be lost. Entries of the
    dictionary feed go by the time at which they were staged.

    :param logs: the topics, and feeds
    """
    names = list(logs)
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, min(kafka_offset),"
        " max(kafka_offset) + 1 FROM stg.dictionary_entries"
        " WHERE topic = ANY(%s) AND staged_dt >= %s AND staged_dt < %s"
        " GROUP BY topic, epoch, kafka_partition",
        (names, start, end),
    )
    found = [Range(FeedPartition(*log), low, high) for *log, low, high in rows]
    for island in _islands(conn, names, start, end):
        around = messages.whole(island.log)
        before = replace(around, end=island.start)
        after = replace(around, start=island.end)
        last = messages.newest(conn, "kafka_offset", before)
        following = messages.oldest(conn, "kafka_offset", after)
        found.append(
            Range(
                island.log,
                last[0] + 1 if last else around.start,
                following[0] if following else around.end,
            )
        )
    return found


def _islands(
    conn: Connection, topics: list[str], start: datetime, end: datetime
) -> list[Range]:
    """Return the positions of an interval in STG, split where they are far apart."""
    logs = conn.execute(
        "SELECT DISTINCT topic, epoch, kafka_partition FROM ops.event_partitions"
        " WHERE topic = ANY(%s) AND dropped_dt IS NULL ORDER BY 1, 2, 3",
        (topics,),
    )
    found: list[Range] = []
    for piece in messages.pieces(
        conn, [messages.whole(FeedPartition(*log)) for log in logs]
    ):
        rows = messages.select(
            conn,
            piece,
            "WITH staged AS (SELECT kafka_offset, kafka_offset"
            " - lag(kafka_offset) OVER (ORDER BY kafka_offset) > %(apart)s AS is_apart"
            " FROM {messages}"
            " WHERE broker_dt >= %(from_dt)s AND broker_dt < %(to_dt)s),"
            " numbered AS (SELECT kafka_offset, count(*) FILTER (WHERE is_apart)"
            " OVER (ORDER BY kafka_offset) AS island FROM staged)"
            " SELECT min(kafka_offset), max(kafka_offset) + 1 FROM numbered"
            " GROUP BY island ORDER BY 1",
            apart=_ISLANDS_APART,
            from_dt=start,
            to_dt=end,
        )
        for low, high in rows:
            before = found[-1] if found else None
            if before and before.log == piece.log and low - before.end < _ISLANDS_APART:
                found[-1] = replace(before, end=high)
            else:
                found.append(Range(piece.log, low, high))
    return found


def on_broker_at(
    reader: Reader,
    states: dict[FeedPartition, tuple[int, int]],
    start: datetime,
    end: datetime,
) -> tuple[list[Range], dict[FeedPartition, int]]:
    """Return the positions of an interval by the broker's time index, and the ends.

    :param states: the first offset that the broker keeps of each log, and its end
    """
    found, after = [], {}
    for topic in sorted({item.topic for item in states}):
        starts, ends = reader.offsets_at(topic, start), reader.offsets_at(topic, end)
        for item in (item for item in states if item.topic == topic):
            low, high = starts.get(item.partition), ends.get(item.partition)
            # The broker's partition may be two logs, one ending where the other begins.
            begin, last = states[item]
            after[item] = last if high is None else min(high, last)
            if low is not None and max(low, begin) < after[item]:
                found.append(Range(item, max(low, begin), after[item]))
    return found, after

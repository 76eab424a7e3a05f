"""Read STG so that no statement locks all of its partitions (ADR 0011).

PostgreSQL locks each partition that a statement may read, with its indexes, until the
transaction ends. So a long range is read piece by piece, and a statement gets its range
as values that are known when it is planned: it is never prepared.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

import psycopg

from palate.database import Connection
from palate.positions.ranges import FeedPartition, Range

# Each takes three locks, and a server with default settings has some thousands.
_PARTITIONS_TOGETHER = 16
_NO_END = 2**63 - 1


def whole(log: FeedPartition) -> Range:
    """Return the range of all offsets that a log may ever have."""
    return Range(log, 0, _NO_END)


def pieces(
    conn: Connection, ranges: Iterable[Range], *, newest_first: bool = False
) -> Iterator[Range]:
    """Cut ranges where partitions begin: each piece lies in a few of them."""
    wanted = [item for item in ranges if item.start < item.end]
    topics = {item.log.topic for item in wanted}
    starts = _starts(conn, topics) if topics else {}
    for item in wanted:
        inside = [at for at in starts.get(item.log, ()) if item.start < at < item.end]
        cuts = [item.start, *inside[_PARTITIONS_TOGETHER - 1 :: _PARTITIONS_TOGETHER]]
        found = [
            replace(item, start=start, end=end)
            for start, end in zip(cuts, [*cuts[1:], item.end], strict=True)
        ]
        yield from reversed(found) if newest_first else found


def select(
    conn: Connection, piece: Range, query: str, **values: Any
) -> psycopg.Cursor[Any]:
    """Run a query on the messages of a range; it locks the partitions they lie in.

    :param query: reads ``{messages}``, with named parameters
    """
    return conn.execute(
        query.replace("{messages}", _MESSAGES), values_of(piece) | values, prepare=False
    )


def values_of(piece: Range) -> dict[str, Any]:
    """Return a range as the parameters of a statement."""
    offsets = {"from_offset": piece.start, "to_offset": piece.end}
    return asdict(piece.log) | offsets


def oldest(conn: Connection, columns: str, item: Range) -> Any:
    """Return columns of the first message of a range; None if it has none."""
    for piece in pieces(conn, [item]):
        if row := select(conn, piece, _FIRST.format(columns, "ASC")).fetchone():
            return row
    return None


def newest(conn: Connection, columns: str, item: Range) -> Any:
    """Return columns of the last message of a range; None if it has none."""
    for piece in pieces(conn, [item], newest_first=True):
        if row := select(conn, piece, _FIRST.format(columns, "DESC")).fetchone():
            return row
    return None


_FIRST = "SELECT {} FROM {{messages}} ORDER BY kafka_offset {} LIMIT 1"
_MESSAGES = (
    "(SELECT * FROM stg.order_events WHERE topic = %(topic)s AND epoch = %(epoch)s"
    " AND kafka_partition = %(partition)s AND kafka_offset >= %(from_offset)s"
    " AND kafka_offset < %(to_offset)s) AS m"
)


def _starts(conn: Connection, topics: set[str]) -> dict[FeedPartition, list[int]]:
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, from_offset FROM ops.event_partitions"
        " WHERE topic = ANY(%s) AND dropped_dt IS NULL"
        " ORDER BY topic, epoch, kafka_partition, from_offset",
        (list(topics),),
    )
    return {
        FeedPartition(*log): [row[3] for row in some]
        for log, some in groupby(rows, key=lambda row: row[:3])
    }

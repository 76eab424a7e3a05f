"""Chunks of open ranges, counted in rows: offsets without a row cost nothing.

A log may have long stretches without a message: given up, compacted, or refused.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from palate.database import Connection
from palate.names import is_feed
from palate.positions import messages
from palate.positions.range_sets import rounds, without
from palate.positions.ranges import Range
from palate.table_set import TableSet

# The table whose rows a stage takes that reads STG.
MESSAGES = "stg.order_events"


def cut(
    conn: Connection,
    item: Range,
    limit: int,
    rows: str,
    tables: TableSet = TableSet.LIVE,
) -> Range:
    """Return the beginning of a range that has at most ``limit`` rows.

    It includes the offsets up to the next row, or to the end of the range. A range with
    no more offsets than that is returned as it is, without a query.

    :param rows: the table that has a row per position, by its live name
    """
    if len(item) <= limit:
        return item
    if is_feed(item.log.topic):  # no gaps, other tables
        return replace(item, end=item.start + limit)
    if rows == MESSAGES:
        return _cut_messages(conn, item, limit)
    row = conn.execute(
        f"SELECT kafka_offset FROM {tables.table(rows)} WHERE topic = %s AND epoch = %s"
        " AND kafka_partition = %s AND kafka_offset >= %s AND kafka_offset < %s"
        # The whole key: so it is read in the index's order, and no further.
        " ORDER BY topic, epoch, kafka_partition, kafka_offset OFFSET %s LIMIT 1",
        (
            item.log.topic,
            item.log.epoch,
            item.log.partition,
            item.start,
            item.end,
            limit,
        ),
    ).fetchone()
    return replace(item, end=row[0]) if row else item


def _cut_messages(conn: Connection, item: Range, limit: int) -> Range:
    for piece in messages.pieces(conn, [item]):
        last, number = messages.select(
            conn,
            piece,
            "SELECT max(kafka_offset), count(*) FROM (SELECT kafka_offset"
            " FROM {messages} ORDER BY kafka_offset LIMIT %(limit)s) AS counted",
            limit=limit + 1,
        ).fetchone() or (0, 0)
        if number > limit:
            return replace(item, end=last)
        limit -= number
    return item


def first(
    conn: Connection,
    ranges: Iterable[Range],
    limit: int,
    rows: str,
    tables: TableSet = TableSet.LIVE,
) -> list[Range]:
    """Return the beginnings of ranges that together have at most ``limit`` rows.

    Every log gets an equal share first, so that no partition waits for another one.
    """
    waiting = sorted(ranges, key=len)
    taken = []
    for index, item in enumerate(waiting):
        if limit <= 0:
            break
        share = max(limit // (len(waiting) - index), 1)
        taken.append(cut(conn, item, share, rows, tables))
        limit -= min(len(taken[-1]), share)
    return sorted(taken)


def every(
    conn: Connection, ranges: Iterable[Range], limit: int, rows: str
) -> Iterator[list[Range]]:
    """Yield all of the ranges, chunk after chunk, at most one range of each log."""
    for waiting in rounds(ranges):
        while waiting:
            chunk = first(conn, waiting, limit, rows)
            yield chunk
            waiting = without(waiting, chunk)

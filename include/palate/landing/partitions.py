"""Partitions of STG, created before their messages arrive (ADR 0011)."""

import logging
from collections.abc import Iterable, Mapping

import psycopg

from palate.database import Connection
from palate.errors import SettingsError
from palate.positions import FeedPartition, Range
from palate.settings import Settings

log = logging.getLogger(__name__)


def ensure_partitions(
    conn: Connection, settings: Settings, ranges: Iterable[Range]
) -> None:
    """Create the missing partitions of ``stg.order_events`` that the ranges need.

    A loader may not create tables: a function does, and checks the request. Partitions
    that retention has dropped are not created again.

    :raises SettingsError: if that would be more than a thousand for one range
    """
    made = sum(_make(conn, settings, item) for item in ranges)
    if made:
        log.info("Made %s partitions of stg.order_events.", made)


def room_for(
    conn: Connection, settings: Settings, offsets: Mapping[FeedPartition, int]
) -> dict[FeedPartition, int]:
    """Ensure a partition for one offset of each log; return where each ends.

    Only offsets of messages are requested: a log may have gaps of millions.
    """
    found = _rooms(conn, offsets)
    missing = {item: at for item, at in offsets.items() if item not in found}
    if missing:
        ensure_partitions(
            conn, settings, [Range(i, at, at + 1) for i, at in missing.items()]
        )
        found |= _rooms(conn, missing)
    return found


def _rooms(
    conn: Connection, offsets: Mapping[FeedPartition, int]
) -> dict[FeedPartition, int]:
    rows = conn.execute(
        "SELECT p.topic, p.epoch, p.kafka_partition, p.to_offset"
        " FROM ops.event_partitions AS p INNER JOIN unnest(%s::text[], %s::integer[],"
        " %s::integer[], %s::bigint[]) AS o (topic, epoch, kafka_partition, at)"
        " USING (topic, epoch, kafka_partition)"
        " WHERE p.from_offset <= o.at AND o.at < p.to_offset AND p.dropped_dt IS NULL",
        (
            [item.topic for item in offsets],
            [item.epoch for item in offsets],
            [item.partition for item in offsets],
            list(offsets.values()),
        ),
    )
    return {FeedPartition(*log): end for *log, end in rows}


def _make(conn: Connection, settings: Settings, item: Range) -> int:
    size = settings.palate_stg_partition_positions
    try:
        row = conn.execute(
            "SELECT stg.make_room(%s, %s, %s, %s, %s, %s)",
            (
                item.log.topic,
                item.log.epoch,
                item.log.partition,
                item.start,
                item.end,
                size,
            ),
        ).fetchone()
    except psycopg.errors.ProgramLimitExceeded:
        message = (
            f"{item} would need more than 1000 new partitions of stg.order_events with "
            f"{size} positions each. Set PALATE_STG_PARTITION_POSITIONS higher."
        )
        raise SettingsError(message) from None
    return row[0] if row else 0

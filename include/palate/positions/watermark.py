"""How far each stage is in each log, and what it has still to take (ADR 0001)."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from palate.database import Connection
from palate.errors import WatermarkMovedError
from palate.positions.ranges import FeedPartition, Range

log = logging.getLogger(__name__)


def watermarks(conn: Connection, stage: str) -> dict[FeedPartition, int]:
    """Return the next offset of each log that the stage has seen."""
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, next_offset"
        " FROM ops.watermarks WHERE stage = %(stage)s",
        {"stage": stage},
    )
    return {
        FeedPartition(topic, epoch, part): offset for topic, epoch, part, offset in rows
    }


def open_ranges(conn: Connection, stage: str, upstream: Iterable[str]) -> list[Range]:
    """Return what the upstream stages have done and this stage has not yet.

    A log begins where its first stage began: a broker may have dropped years before.
    For a stage that needs the messages and is new to a log, it begins after what
    retention has dropped from STG; that offset becomes its watermark's first one.
    """
    rows = conn.execute(
        "SELECT up.topic, up.epoch, up.kafka_partition, coalesce(own.next_offset,"
        " greatest(up.first_offset, gone.to_offset)) AS start, up.next_offset,"
        " own.stage IS NULL AND gone.to_offset > up.first_offset AS is_cut"
        " FROM ops.watermarks AS up LEFT JOIN ops.watermarks AS own"
        " ON own.stage = %(stage)s AND (own.topic, own.epoch, own.kafka_partition)"
        " = (up.topic, up.epoch, up.kafka_partition)"
        " LEFT JOIN (SELECT topic, epoch, kafka_partition, max(to_offset) AS to_offset"
        " FROM ops.event_partitions WHERE dropped_dt IS NOT NULL AND %(reads_stg)s"
        " GROUP BY topic, epoch, kafka_partition) AS gone"
        " ON (gone.topic, gone.epoch, gone.kafka_partition)"
        " = (up.topic, up.epoch, up.kafka_partition)"
        " WHERE up.stage = ANY(%(upstream)s) AND coalesce(own.next_offset,"
        " greatest(up.first_offset, gone.to_offset)) < up.next_offset"
        " ORDER BY up.topic, up.epoch, up.kafka_partition",
        {
            "stage": stage,
            "upstream": list(upstream),
            "reads_stg": reads_stg(stage),
        },
    )
    ranges = []
    for topic, epoch, partition, start, end, is_cut in rows:
        ranges.append(Range(FeedPartition(topic, epoch, partition), start, end))
        if is_cut:
            log.warning(
                "%s begins at offset %s of %s: retention has dropped the messages "
                "before it from STG. See `palate storage show`.",
                stage,
                start,
                ranges[-1].log,
            )
    return ranges


def reads_stg(stage: str) -> bool:
    """Return whether a stage needs the messages in STG, not only the vault's rows."""
    return stage.rpartition("/")[2].split(":")[0] in ("drain", "records", "vault")


def advance(
    conn: Connection, stage: str, ranges: Sequence[Range], moved_dt: datetime
) -> None:
    """Move the stage's watermark from the start to the end of each range.

    :raises WatermarkMovedError: if it is not at the start: another run took the range
        meanwhile, and this transaction must not commit
    """
    if not ranges:
        return
    # One statement for all logs; a log new to the stage has no row yet.
    rows = conn.execute(
        "INSERT INTO ops.watermarks AS w (stage, topic, epoch, kafka_partition,"
        " first_offset, next_offset, moved_dt)"
        " SELECT %s, r.topic, r.epoch, r.kafka_partition, r.start, r.until, %s"
        " FROM unnest(%s::text[], %s::integer[], %s::integer[],"
        " %s::bigint[], %s::bigint[])"
        " AS r (topic, epoch, kafka_partition, start, until)"
        ' ORDER BY r.topic COLLATE "C", r.epoch, r.kafka_partition'
        " ON CONFLICT (stage, topic, epoch, kafka_partition) DO UPDATE"
        " SET next_offset = excluded.next_offset, moved_dt = excluded.moved_dt"
        " WHERE w.next_offset = excluded.first_offset"
        " RETURNING w.topic, w.epoch, w.kafka_partition",
        (
            stage,
            moved_dt,
            [item.log.topic for item in ranges],
            [item.log.epoch for item in ranges],
            [item.log.partition for item in ranges],
            [item.start for item in ranges],
            [item.end for item in ranges],
        ),
    ).fetchall()
    moved = {FeedPartition(*row) for row in rows}
    for item in ranges:
        if item.log not in moved:
            message = (
                f"Stage {stage}: the watermark of {item.log} is no longer at "
                f"{item.start}; another run took this range. Nothing was written "
                "twice: this run rolls back, and the next one goes on from there."
            )
            raise WatermarkMovedError(message)

"""Which refused messages a person means."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from palate.positions import FeedPartition

# Pairs of a first and a last offset; both are meant.
Offsets = tuple[tuple[int, int], ...]


class Time(StrEnum):
    """Which time a selection goes by."""

    BROKER = "broker"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Selection:
    """Which refused messages are meant; what is None or empty excludes none.

    ``start`` is part of the interval, ``end`` is not; both must be aware. ``offsets``
    are of any log, ``positions`` of the log beside them, each log once. With ``limit``
    the oldest positions come first.
    """

    reasons: tuple[str, ...] = ()
    topic: str | None = None
    epoch: int | None = None
    partition: int | None = None
    offsets: Offsets = ()
    positions: tuple[tuple[FeedPartition, Offsets], ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    time: Time = Time.BROKER
    with_dismissed: bool = False
    limit: int | None = None

    @property
    def is_everything(self) -> bool:
        """Return whether nothing narrows the selection."""
        return self == Selection(
            time=self.time, with_dismissed=self.with_dismissed, limit=self.limit
        )


# Every value is a parameter; NULL selects all.
CHOSEN = """
FROM stg.rejected_messages AS m
WHERE
    (%(reasons)s::text[] IS NULL OR m.reason = ANY(%(reasons)s::text[]))
    AND (%(topic)s::text IS NULL OR m.topic = %(topic)s::text)
    AND (%(epoch)s::integer IS NULL OR m.epoch = %(epoch)s::integer)
    AND (%(partition)s::integer IS NULL OR m.kafka_partition = %(partition)s::integer)
    AND (
        %(offsets)s::int8multirange IS NULL
        OR m.kafka_offset BETWEEN %(lowest)s::bigint AND %(highest)s::bigint
        AND m.kafka_offset <@ %(offsets)s::int8multirange
    )
    AND (
        %(log_topics)s::text[] IS NULL
        OR m.topic = ANY(%(log_topics)s::text[]) AND EXISTS (
            SELECT
            FROM unnest(
                %(log_topics)s::text[],
                %(log_epochs)s::integer[],
                %(log_partitions)s::integer[],
                %(log_offsets)s::text[]::int8multirange[]
            ) AS p (topic, epoch, kafka_partition, offsets)
            WHERE (p.topic, p.epoch, p.kafka_partition)
                = (m.topic, m.epoch, m.kafka_partition)
                AND m.kafka_offset <@ p.offsets
        )
    )
    AND (%(with_dismissed)s OR m.dismissed_dt IS NULL)
    AND CASE
        WHEN %(start)s::timestamptz IS NULL AND %(end)s::timestamptz IS NULL THEN TRUE
        WHEN NOT %(by_broker)s THEN (
            (%(start)s::timestamptz IS NULL OR m.rejected_dt >= %(start)s::timestamptz)
            AND (%(end)s::timestamptz IS NULL OR m.rejected_dt < %(end)s::timestamptz)
        )
        ELSE (m.topic, m.epoch, m.kafka_partition, m.kafka_offset) IN (
            SELECT s.topic, s.epoch, s.kafka_partition, s.kafka_offset
            FROM stg.refused_between(
                %(topic)s::text, %(epoch)s::integer, %(partition)s::integer,
                %(start)s::timestamptz, %(end)s::timestamptz
            ) AS s
        )
    END
"""
IS_GONE = """
EXISTS (
    SELECT FROM ops.event_partitions AS p
    WHERE (p.topic, p.epoch, p.kafka_partition)
    = (m.topic, m.epoch, m.kafka_partition)
    AND m.kafka_offset >= p.from_offset AND m.kafka_offset < p.to_offset
    AND p.dropped_dt IS NOT NULL
)"""
POSITION = "topic, epoch, kafka_partition, kafka_offset"


def values_of(selection: Selection) -> dict[str, Any]:
    """Return the parameters of ``CHOSEN``."""
    offsets, logs = selection.offsets, [log for log, _ in selection.positions]
    return {
        "reasons": list(selection.reasons) or None,
        "topic": selection.topic,
        "epoch": selection.epoch,
        "partition": selection.partition,
        "offsets": _multirange(offsets) if offsets else None,
        "lowest": min((low for low, _ in offsets), default=None),
        "highest": max((high for _, high in offsets), default=None),
        "log_topics": [log.topic for log in logs] or None,
        "log_epochs": [log.epoch for log in logs],
        "log_partitions": [log.partition for log in logs],
        "log_offsets": [_multirange(each) for _, each in selection.positions],
        "start": selection.start,
        "end": selection.end,
        "by_broker": selection.time is Time.BROKER,
        "with_dismissed": selection.with_dismissed,
        "limit": selection.limit,
    }


def _multirange(offsets: Offsets) -> str:
    return "{" + ",".join(f"[{low},{high}]" for low, high in offsets) + "}"

"""Offsets that were gone from the broker before they were read.

The drain notes a gap and stands before it, until a person has decided that nobody has
these messages any more.
"""

from dataclasses import dataclass
from datetime import datetime

from palate.database import Connection
from palate.positions import Log


@dataclass(frozen=True)
class Gap:
    """The offsets ``start <= offset < end``; ``accepted_*`` are None while open."""

    log: Log
    start: int
    end: int
    found_dt: datetime
    accepted_dt: datetime | None
    accepted_by: str | None
    accepted_why: str | None


def note(conn: Connection, log: Log, start: int, end: int) -> None:
    """Enter a gap, if there is one; it may have grown since it was noted first."""
    if start < end:
        conn.execute(
            "INSERT INTO ops.position_gaps AS g"
            " (topic, epoch, kafka_partition, from_offset, to_offset)"
            " VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (topic, epoch, kafka_partition, from_offset) DO UPDATE"
            " SET to_offset = excluded.to_offset"
            " WHERE g.accepted_dt IS NULL AND g.to_offset < excluded.to_offset",
            (log.topic, log.epoch, log.partition, start, end),
        )


def note_accepted(
    conn: Connection, log: Log, start: int, end: int, who: str, why: str
) -> None:
    """Enter who gave up these offsets, and why; what is behind ``end`` stays open."""
    note(conn, log, start, end)
    conn.execute(
        "UPDATE ops.position_gaps SET to_offset = %(end)s, accepted_dt = now(),"
        " accepted_by = %(who)s, accepted_why = %(why)s"
        " WHERE (topic, epoch, kafka_partition, from_offset)"
        " = (%(topic)s, %(epoch)s, %(partition)s, %(start)s)",
        {
            "topic": log.topic,
            "epoch": log.epoch,
            "partition": log.partition,
            "start": start,
            "end": end,
            "who": who,
            "why": why,
        },
    )


def known(conn: Connection) -> list[Gap]:
    """Return every gap that was met, the oldest first."""
    return [
        Gap(Log(topic, epoch, partition), *rest)
        for topic, epoch, partition, *rest in conn.execute(
            "SELECT topic, epoch, kafka_partition, from_offset, to_offset, found_dt,"
            " accepted_dt, accepted_by, accepted_why"
            " FROM ops.position_gaps ORDER BY gap_id"
        )
    ]

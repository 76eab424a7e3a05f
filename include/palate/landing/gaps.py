"""Logs that stop until a person decides: offsets are gone, or a tail is lost.

The drain records it, reads all other logs, and fails at its end.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime

from palate.database import Connection
from palate.positions import FeedPartition


@dataclass(frozen=True)
class Gap:
    """The offsets ``start <= offset < end``; ``accepted_*`` are None while open."""

    log: FeedPartition
    start: int
    end: int
    found_dt: datetime
    accepted_dt: datetime | None
    accepted_by: str | None
    accepted_why: str | None


def accepting(topic: str, partition: int, end: int) -> str:
    """Return the command that gives up the offsets below ``end``, but its reason."""
    topic = shlex.quote(topic)
    return f"palate positions accept-gap {topic} {partition} --to {end} --reason"


def note(conn: Connection, log: FeedPartition, start: int, end: int) -> None:
    """Record a gap, if there is one; a recorded one may have grown since."""
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
    conn: Connection, log: FeedPartition, start: int, end: int, who: str, why: str
) -> None:
    """Record who gave up these offsets, and why; those from ``end`` on stay open."""
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


def gone(item: FeedPartition, start: int, begin: int) -> str:
    """Return the message that offsets were gone before they were read."""
    return (
        f"{item}: offsets {start} to {begin - 1} are gone from the broker before "
        "they were read; its retention took them. Nothing of this partition is skipped "
        "or read until that is settled. If nobody has them any more: "
        f"`{accepting(item.topic, item.partition, begin)} ...`; see "
        "docs/operations.md, 'Offsets are gone'."
    )


def lost_tail(item: FeedPartition, lost_from: int, watermark: int, end: int) -> str:
    """Return the message that the broker's log is not the one that was read."""
    now = (
        f"it ends at offset {end} now"
        if end < watermark
        else f"other messages are there now, and it ends at offset {end}"
    )
    return (
        f"{item}: the broker has lost the log from offset {lost_from} on, of which "
        f"{watermark - 1} was the last one read; {now}. The cause may be an unclean "
        "leader election, a crash before a flush, or a restored backup. What was "
        "staged stays; nothing of this partition is read until that is settled. To "
        "take in what is there now: `palate positions accept-lost-tail "
        f"{item.topic} {item.partition} --reason ...`; see docs/operations.md, 'A log "
        "lost its tail'."
    )


def known(conn: Connection) -> list[Gap]:
    """Return every recorded gap, the oldest first."""
    return [
        Gap(FeedPartition(topic, epoch, partition), *rest)
        for topic, epoch, partition, *rest in conn.execute(
            "SELECT topic, epoch, kafka_partition, from_offset, to_offset, found_dt,"
            " accepted_dt, accepted_by, accepted_why"
            " FROM ops.position_gaps ORDER BY gap_id"
        )
    ]

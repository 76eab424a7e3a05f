"""Broker times as positions: the plan of a backfill or a reload.

STG has the broker time of all that is staged, the broker that of all it still has.
Either may have lost what the other has, so both are queried.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from palate.database import Connection
from palate.engine.outcome import Caller
from palate.positions import FeedPartition, Range, range_sets


class ReadFrom(StrEnum):
    """Where messages are read again from."""

    AUTO = "auto"
    KAFKA = "kafka"
    STG = "stg"


@dataclass(frozen=True)
class Request:
    """What to reload: the broker times ``start <= time < end``."""

    start: datetime
    end: datetime
    source: ReadFrom = ReadFrom.AUTO


@dataclass(frozen=True)
class Plan:
    """The positions of a request.

    ``ranges`` are all of them, ``compared`` those that are read from the broker again.
    """

    reload_id: int
    request: Request
    ranges: list[Range]
    compared: list[Range]

    def below(self, done: dict[FeedPartition, int]) -> list[Range]:
        """Return the ranges below a stage's watermarks; it takes the rest anyway."""
        return range_sets.cut(
            {item: (0, end) for item, end in done.items()}, self.ranges
        )


def enter(
    conn: Connection,
    caller: Caller,
    request: Request,
    found: Iterable[Range],
    states: dict[FeedPartition, tuple[int, int]],
    staged_by: Iterable[str],
) -> Plan:
    """Record the plan of a run, in place of an earlier one and its progress.

    :param found: the positions of the interval, from STG and the broker
    :param states: the first offset that the broker keeps of each log, and its end
    :param staged_by: the stages whose watermarks say what is staged
    """
    ranges = range_sets.cut(_done(conn, staged_by), range_sets.merged(found))
    compared = range_sets.cut(states, ranges)
    with conn.transaction():
        # A new id: an attempt that still works on the old plan can enter nothing more.
        conn.execute(
            "DELETE FROM ops.reloads WHERE (dag_id, run_id) = (%s, %s)",
            (caller.dag_id, caller.run_id),
        )
        (reload_id,) = conn.execute(
            "INSERT INTO ops.reloads (dag_id, run_id, from_dt, to_dt, source)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING reload_id",
            (caller.dag_id, caller.run_id, request.start, request.end, request.source),
        ).fetchone() or (0,)
        for is_compared, items in ((False, ranges), (True, compared)):
            conn.execute(
                "INSERT INTO ops.reload_ranges SELECT %s, %s, * FROM unnest("
                "%s::text[], %s::integer[], %s::integer[], %s::bigint[], %s::bigint[])",
                (
                    reload_id,
                    is_compared,
                    [item.log.topic for item in items],
                    [item.log.epoch for item in items],
                    [item.log.partition for item in items],
                    [item.start for item in items],
                    [item.end for item in items],
                ),
            )
    return Plan(reload_id, request, ranges, compared)


def planned(conn: Connection, caller: Caller) -> Plan | None:
    """Return the plan of the caller's run; None if it is no backfill or reload."""
    row = conn.execute(
        "SELECT reload_id, from_dt, to_dt, source FROM ops.reloads"
        " WHERE (dag_id, run_id) = (%s, %s)",
        (caller.dag_id, caller.run_id),
    ).fetchone()
    if row is None:
        return None
    reload_id, start, end, source = row
    found: dict[bool, list[Range]] = {False: [], True: []}
    for is_compared, topic, epoch, partition, low, high in conn.execute(
        "SELECT is_compared, topic, epoch, kafka_partition, from_offset, to_offset"
        " FROM ops.reload_ranges WHERE reload_id = %s"
        " ORDER BY topic, epoch, kafka_partition, from_offset",
        (reload_id,),
    ):
        found[is_compared].append(
            Range(FeedPartition(topic, epoch, partition), low, high)
        )
    request = Request(start, end, ReadFrom(source))
    return Plan(reload_id, request, found[False], found[True])


def _done(
    conn: Connection, stages: Iterable[str]
) -> dict[FeedPartition, tuple[int, int]]:
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, first_offset, next_offset"
        " FROM ops.watermarks WHERE stage = ANY(%s)",
        (list(stages),),
    )
    return {FeedPartition(*log): (first, after) for *log, first, after in rows}

"""The drain stage: from the ledger's positions to the broker's end, into STG.

Every message is kept as its bytes, with its position. Rows and watermark commit
together, chunk by chunk; memory is bounded by a chunk.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from palate import gaps, incidents, restaging
from palate.database import Connection
from palate.epochs import known_epoch, look
from palate.errors import PositionGapError
from palate.incidents import Kind
from palate.intervals import Request
from palate.kafka import Reader, TopicState, open_reader
from palate.positions import Log, Range, watermarks
from palate.reading import Reading, copy_records
from palate.restaging import repeat
from palate.room import make_room
from palate.settings import Settings
from palate.stage import Caller, Outcome, StageRun, open_run

log = logging.getLogger(__name__)

STAGE = "drain"


@dataclass(frozen=True)
class Limits:
    """What one run takes at most; None is no limit beside that of the settings."""

    topics: tuple[str, ...] | None = None
    partitions: tuple[int, ...] | None = None
    messages: int | None = None
    seconds: float | None = None


def run(settings: Settings, caller: Caller, limits: Limits | None = None) -> Outcome:
    """Stage what is waiting on the broker, up to its end offsets at the start.

    A repeated task, and a backfill, first read their own ranges again: what is
    missing in STG is put back, and what is there must have the same bytes.

    :raises PositionGapError: if the broker no longer has what was not read yet
    :raises UnreadableRecordError: if a partition can't be read on; the others were
    """
    limits = limits or Limits()
    if caller.interval:
        return _backfill(settings, caller, Request(*caller.interval), limits)
    with open_run(settings, STAGE, caller) as attempt, open_reader(settings) as reader:
        states = look(
            attempt.conn, reader, limits.topics or tuple(settings.palate_topics)
        )
        own = attempt.own_ranges()
        repeat(attempt, reader, settings, states, own)
        if not attempt.was_finished():
            bounds = _bounds(states, limits)
            _drain(attempt, reader, settings, states, bounds, limits)
        return attempt.outcome


def waiting(conn: Connection, states: Iterable[TopicState]) -> int:
    """Return how many offsets the broker has beyond the ledger."""
    done = watermarks(conn, STAGE)
    number = 0
    for state in states:
        epoch = known_epoch(conn, state)
        for partition, end in state.end.items():
            start = done.get(Log(state.topic, epoch, partition), state.begin[partition])
            number += max(end - start, 0)
    return number


def _bounds(states: dict[Log, tuple[int, int]], limits: Limits) -> dict[Log, int]:
    return {
        item: end
        for item, (_, end) in states.items()
        if limits.partitions is None or item.partition in limits.partitions
    }


def _backfill(
    settings: Settings, caller: Caller, request: Request, limits: Limits
) -> Outcome:
    """Look at what is staged of an interval; stage what is open below its end.

    The first part holds no lock that a live run needs.
    """
    found = restaging.run(settings, caller, request, limits.topics)
    if found.waiting:
        with (
            open_run(settings, STAGE, caller) as attempt,
            open_reader(settings) as reader,
        ):
            states = look(attempt.conn, reader, sorted({i.topic for i in found.ends}))
            bounds = {
                item: min(found.ends[item], end)
                for item, end in _bounds(states, limits).items()
                if item in found.ends
            }
            _drain(attempt, reader, settings, states, bounds, limits)
            found.outcome.include(attempt.outcome)
    return found.outcome


def _drain(
    attempt: StageRun,
    reader: Reader,
    settings: Settings,
    states: dict[Log, tuple[int, int]],
    bounds: dict[Log, int],
    limits: Limits,
) -> None:
    done = watermarks(attempt.conn, STAGE)
    reached = {item: done.get(item, states[item][0]) for item in bounds}
    for item, start in reached.items():
        gaps.note(attempt.conn, item, start, states[item][0])
    for item, start in reached.items():
        _check_gap(attempt.conn, item, start, *states[item])
    starts = {i: start for i, start in reached.items() if start < bounds[i]}
    make_room(
        attempt.conn, settings, [Range(i, at, bounds[i]) for i, at in starts.items()]
    )
    left = limits.messages or sum(bounds.values())
    deadline = time.monotonic() + (limits.seconds or settings.palate_drain_seconds)
    reading = Reading(reader, starts, bounds)
    while not reading.is_done and left > 0 and time.monotonic() < deadline:
        with attempt.batch([]) as batch:
            number = copy_records(
                attempt.conn,
                "stg.order_events",
                batch.load_dt,
                reading.take(
                    min(left, settings.palate_drain_messages), settings, deadline
                ),
            )
            batch.ranges = reading.taken()
            batch.counts["messages"] = number
        left -= number
    _settle_unreadable(attempt.conn, bounds, reading)
    if not reading.is_done:
        attempt.outcome.note = "Stopped at a limit: the next run takes what is waiting."


def _settle_unreadable(
    conn: Connection, looked_at: Iterable[Log], reading: Reading
) -> None:
    """Open and close the incidents of partitions that can't be read on.

    :raises PalateError: if there is one
    """
    unreadable = reading.unreadable
    sentences = {
        item: why.sentence(item.topic, item.partition)
        for item, why in unreadable.items()
    }
    incidents.keep(
        conn,
        Kind.UNREADABLE,
        map(str, looked_at),
        {str(i): sentences[i] for i, why in unreadable.items() if why.is_lasting},
    )
    for why in unreadable.values():
        raise why.error("\n".join(sentences.values()))


def _check_gap(conn: Connection, item: Log, start: int, begin: int, end: int) -> None:
    message = None
    if start < begin:
        message = (
            f"{item}: offsets {start} to {begin - 1} are gone from the broker before "
            "they were read; its retention took them. Nothing was skipped and nothing "
            "is read until that is settled. If nobody has them any more: `palate "
            f"positions accept-gap {item.topic} {item.partition} --to {begin} --reason "
            "...`; see docs/operations.md, 'Offsets are gone'."
        )
    if end < start:
        message = (
            f"{item}: the broker ends at offset {end}, but {start} were staged "
            "already. It lost messages (an unclean leader election, or a restored "
            "backup). See docs/operations.md, 'Offsets are gone'."
        )
    if message:
        incidents.begin(conn, Kind.GAP, str(item), message)
        raise PositionGapError(message)
    incidents.end(conn, Kind.GAP, str(item))

"""Staged positions, read from the broker once more.

What STG lost is put back at its position; what STG has must equal the broker's.
"""

import logging
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from palate.clients import Reader, kafka_reader
from palate.engine import Batch, Caller, Outcome, StageRun, open_run, plans, progress
from palate.errors import AccessDeniedError, PalateError
from palate.landing import intervals
from palate.landing.chunks import COLUMNS, Reading, copy_records
from palate.landing.epochs import Registration, register_topics
from palate.positions import FeedPartition, Range, range_sets, watermarks
from palate.settings import Settings
from palate.sources import Area, catalog

log = logging.getLogger(__name__)

_NAME = "drain:reload"
_POSITION = "topic, epoch, kafka_partition, kafka_offset"
_DIFFER = (
    "(r.message, r.kafka_key, r.headers, r.broker_dt)"
    " IS DISTINCT FROM (s.message, s.kafka_key, s.headers, s.broker_dt)"
)


def stage_of(area: Area) -> str:
    """Return the name of the stage: it runs beside the drain, under its own lock."""
    return area.stage(_NAME)


def is_stage(name: str) -> bool:
    """Return whether a stage is this one, of any area."""
    return name.rpartition("/")[2] == _NAME


@dataclass
class Found:
    """What was found of an interval.

    ``ends`` are the broker's offsets at which the interval ends, ``waiting`` the number
    of offsets below them that are not staged yet.
    """

    outcome: Outcome
    ends: dict[FeedPartition, int]
    waiting: int


def run(
    settings: Settings,
    area: Area,
    caller: Caller,
    request: plans.Request,
    topics: Iterable[str] | None = None,
) -> Found:
    """Compare what is staged of an interval with the broker; put back what is lost.

    Plans, for the later stages, the positions of the interval. Live runs don't wait:
    they stage higher offsets than this reads.

    :raises PalateError: if the broker does not know a topic, or the topic is another
        cluster's, unless only STG was requested, or STG is enough
    """
    topics = tuple(topics or catalog.topics(settings, area))
    with open_run(settings, stage_of(area), caller) as attempt, ExitStack() as stack:
        reader: Reader | None = None
        found = Registration()
        if request.source is not plans.ReadFrom.STG:
            reader = stack.enter_context(kafka_reader.open_reader(settings))
            found = register_topics(attempt.conn, reader, topics)
            _refuse(found.problems, request.source)
        states = found.states | found.former
        there: list[Range] = []
        ends: dict[FeedPartition, int] = {}
        if reader:
            there, ends = intervals.on_broker_at(
                reader, states, request.start, request.end
            )
        plan = plans.planned(attempt.conn, caller)
        # A plan that this task has begun and not finished goes on.
        if (
            plan is None
            or plan.request != request
            or progress.is_finished(attempt.conn, plan, attempt.stage)
        ):
            there += intervals.staged_at(
                attempt.conn, [*topics, *area.feeds], request.start, request.end
            )
            plan = plans.enter(
                attempt.conn, caller, request, there, states, area.upstream
            )
        progress.begin(attempt)
        if reader:
            for ranges in range_sets.rounds(progress.left(attempt, plan.compared)):
                verify(attempt, reader, settings, states, ranges)
        attempt.outcome.note = (
            f"broker time {request.start:%F %T} to {request.end:%F %T}. "
            f"{attempt.outcome.note}"
        ).rstrip()
        done = watermarks(attempt.conn, area.drain)
        waiting = sum(
            max(end - done.get(item, found.first[item]), 0)
            for item, end in ends.items()
        )
        return Found(attempt.outcome, ends, waiting)


def _refuse(problems: dict[str, PalateError], source: plans.ReadFrom) -> None:
    """Go on without the topics that can't be read, if STG is enough."""
    for error in problems.values():
        if source is plans.ReadFrom.KAFKA or isinstance(error, AccessDeniedError):
            raise error
        log.warning("%s What STG has of it is taken from there.", error)


def verify(
    attempt: StageRun,
    reader: Reader,
    settings: Settings,
    states: dict[FeedPartition, tuple[int, int]],
    ranges: list[Range],
) -> None:
    """Read ranges again: put back what STG lost, and compare the rest byte by byte.

    Skips what the broker no longer has, and what retention has dropped. Bytes that
    differ are never overwritten: each is an error line, and counted.

    :param states: the first offset that the broker keeps of each log, and its end
    """
    for some in range_sets.rounds(attempt.without_dropped(ranges)):
        _repeat(attempt, reader, settings, states, some)


def _repeat(
    attempt: StageRun,
    reader: Reader,
    settings: Settings,
    states: dict[FeedPartition, tuple[int, int]],
    ranges: list[Range],
) -> None:
    kept = range_sets.cut(states, ranges)
    reading = Reading(
        reader, {r.log: r.start for r in kept}, {r.log: r.end for r in kept}
    )
    while reading.ahead() or reading.has_moved:
        with attempt.batch([], is_repeat=True) as batch:
            attempt.conn.execute(
                "CREATE TEMP TABLE repeated_events (LIKE stg.order_events)"
                " ON COMMIT DROP"
            )
            batch.counts["compared"] = copy_records(
                attempt.conn,
                "repeated_events",
                batch.load_dt,
                reading.take(settings.palate_drain_messages, settings, None),
            )
            batch.ranges = reading.taken()
            _compare(attempt, batch)


def _compare(attempt: StageRun, batch: Batch) -> None:
    conn = attempt.conn
    conn.execute("ANALYZE repeated_events")
    conn.execute(
        "CREATE TEMP TABLE staged_events ON COMMIT DROP AS SELECT s.* FROM ("
        " SELECT topic, epoch, kafka_partition, min(kafka_offset) AS low,"
        " max(kafka_offset) + 1 AS high FROM repeated_events"
        " GROUP BY topic, epoch, kafka_partition) AS r"
        " CROSS JOIN LATERAL"
        " stg.messages(r.topic, r.epoch, r.kafka_partition, r.low, r.high) AS s"
    )
    conn.execute("ANALYZE staged_events")
    # Two repeats may put back the same message at once.
    batch.counts["healed"] = conn.execute(
        f"INSERT INTO stg.order_events ({COLUMNS})"
        f" SELECT {COLUMNS} FROM repeated_events AS r"
        " WHERE NOT EXISTS (SELECT FROM staged_events AS s"
        " WHERE (s.topic, s.epoch, s.kafka_partition, s.kafka_offset)"
        " = (r.topic, r.epoch, r.kafka_partition, r.kafka_offset))"
        f" ON CONFLICT ({_POSITION}) DO NOTHING"
    ).rowcount
    differing = conn.execute(
        "SELECT r.topic, r.epoch, r.kafka_partition, r.kafka_offset"
        " FROM repeated_events AS r INNER JOIN staged_events AS s"
        f" USING ({_POSITION}) WHERE {_DIFFER} ORDER BY {_POSITION}"
    ).fetchall()
    batch.counts["differing"] = len(differing)
    for topic, epoch, partition, offset in differing[:20]:
        log.error(
            "%s offset %s: the broker's bytes differ from those in STG; STG keeps what "
            "it staged first. See docs/operations.md, 'Messages differ from the "
            "broker'.",
            FeedPartition(topic, epoch, partition),
            offset,
        )

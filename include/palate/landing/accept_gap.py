"""Decisions that let the drain go on where a broker's log is not what was read."""

from collections.abc import Iterator
from contextlib import contextmanager

from palate import incidents
from palate.clients import Reader, kafka_reader
from palate.database import connect
from palate.engine import Caller, Outcome, StageRun, open_run
from palate.errors import NotFoundError, PositionGapError
from palate.incidents import Kind
from palate.landing import gaps, tails
from palate.landing.epochs import begin_epoch, known
from palate.positions import FeedPartition, Range, watermarks
from palate.settings import Settings
from palate.sources import catalog


def accept_gap(
    settings: Settings,
    caller: Caller,
    topic: str,
    partition: int,
    end: int,
    who: str,
    why: str,
) -> Outcome:
    """Move the drain's watermark to ``end``; record who decided it and why.

    It is a batch of the drain, under its lock, with its entry in the ledger. Later
    stages skip the offsets like any that no message has.

    :raises NotFoundError: if the broker still has some of these offsets, or they were
        read already; offsets of an unreadable batch may be given up
    """
    with _deciding(settings, caller, topic) as (attempt, reader, state):
        log, first = _log(attempt, state, partition)
        begin = state.begin[partition]
        start = watermarks(attempt.conn, attempt.stage).get(log, first)
        if start < begin:
            _check_gone(log, start, begin, end)
        else:
            _check_unreadable(reader, log, start, state.end[partition], end)
        with attempt.batch([Range(log, start, end)]) as batch:
            batch.counts["given_up"] = end - start
            gaps.note_accepted(attempt.conn, log, start, end, who, why)
            if end >= begin:
                for kind in (Kind.GAP, Kind.UNREADABLE):
                    incidents.end(attempt.conn, kind, str(log))
        return attempt.outcome


def _check_gone(log: FeedPartition, start: int, begin: int, end: int) -> None:
    if not start < end <= begin:
        message = (
            f"{log}: the offsets {start} to {begin - 1} are gone, so --to must be "
            f"at least {start + 1} and at most {begin}, the first one that the "
            "broker still has. Nothing was changed."
        )
        raise NotFoundError(message)


def _check_unreadable(
    reader: Reader, log: FeedPartition, start: int, log_end: int, end: int
) -> None:
    """Read on, to make sure that the batch is unreadable.

    :raises NotFoundError: if a record comes, or ``end`` is not the batch's end
    """
    key = (log.topic, log.partition)
    reader.seek({key: start})
    is_read = start >= log_end or next(reader.records({key: log_end}), None) is not None
    found = reader.unreadable.get(key)
    if is_read or found is None or not found.is_lasting:
        message = (
            f"{log} has no gap: the broker still has offset {start}, the next one to "
            "read, and nothing is wrong with it. Nothing was changed."
        )
        raise NotFoundError(message)
    if found.end is not None and end != found.end:
        message = (
            f"{log}: the batch that can't be read ends at offset {found.end - 1}, so "
            f"--to must be {found.end}: {found.cause}. Nothing was changed."
        )
        raise NotFoundError(message)
    if not start < end <= log_end:
        message = (
            f"{log}: --to must be at least {start + 1} and at most {log_end}, the end "
            "of the log. Nothing was changed."
        )
        raise NotFoundError(message)


def accept_lost_tail(
    settings: Settings, caller: Caller, topic: str, partition: int, who: str, why: str
) -> tuple[FeedPartition, int]:
    """Begin an epoch for a partition that lost its tail, where it differs.

    Staged messages keep their positions; the next run stages what the broker has now
    under new ones. Return the new log and its first offset.

    :raises NotFoundError: if the partition has not lost its tail
    """
    with _deciding(settings, caller, topic) as (attempt, reader, state):
        conn = attempt.conn
        log, first = _log(attempt, state, partition)
        ends = (state.begin[partition], state.end[partition])
        watermark = watermarks(conn, attempt.stage).get(log, first)
        tail = tails.tails(conn, {log: watermark}).get(log)
        found = tails.examine(conn, reader, log, ends, first, watermark, tail)
        if found.lost_from is None:
            message = (
                f"{log} has not lost its tail: the broker has what was read last, as "
                "far as it still has it. Nothing was changed."
            )
            raise NotFoundError(message)
        with attempt.batch([], has_ranges=False) as batch:
            epoch = begin_epoch(conn, state, who, why, (log, found.lost_from))
            batch.counts["replaced"] = watermark - found.lost_from
            new = FeedPartition(topic, epoch, partition)
            tails.note(conn, {new: found.tail} if found.tail else {})
            incidents.end(conn, Kind.GAP, str(log))
        return new, found.lost_from


def accept_cluster(
    settings: Settings, caller: Caller, topic: str, who: str, why: str
) -> int:
    """Begin an epoch for a topic of another cluster; return its number.

    :raises NotFoundError: if the topic is not refused
    """
    with _deciding(settings, caller, topic) as (attempt, _, state):
        if not known(attempt.conn, state).refusal:
            message = (
                f"Topic {topic} is on the cluster that it was read from, or was not "
                "read yet. Nothing was changed."
            )
            raise NotFoundError(message)
        with attempt.batch([], has_ranges=False) as batch:
            epoch = begin_epoch(attempt.conn, state, who, why)
            batch.counts["clusters_accepted"] = 1
            incidents.end(attempt.conn, Kind.CLUSTER, topic)
        return epoch


def _drain_of(settings: Settings, topic: str) -> str:
    """Return the stage that reads a topic, or read it once.

    :raises NotFoundError: if none does
    :raises DefinitionError: if an area that can't be read may do so
    """
    for area in catalog.areas(settings):
        if topic in catalog.topics(settings, area):
            return area.drain
    with connect(settings) as conn:
        drains = [area.drain for area in catalog.areas(settings)]
        row = conn.execute(
            "SELECT stage FROM ops.watermarks WHERE topic = %s AND stage = ANY(%s)",
            (topic, drains),
        ).fetchone()
    if row is None:
        catalog.refuse_errors(settings)
        message = f"No area reads topic {topic}, and none has read it."
        raise NotFoundError(message)
    return str(row[0])


@contextmanager
def _deciding(
    settings: Settings, caller: Caller, topic: str
) -> Iterator[tuple[StageRun, Reader, kafka_reader.TopicState]]:
    with (
        open_run(settings, _drain_of(settings, topic), caller) as attempt,
        kafka_reader.open_reader(settings) as reader,
    ):
        yield attempt, reader, reader.state(topic)


def _log(
    attempt: StageRun, state: kafka_reader.TopicState, partition: int
) -> tuple[FeedPartition, int]:
    """Return the partition's log, and where it begins."""
    if partition not in state.begin:
        numbers = ", ".join(str(number) for number in sorted(state.begin))
        message = f"{state.topic} has no partition {partition}. It has: {numbers}."
        raise NotFoundError(message)
    epochs = known(attempt.conn, state)
    if epochs.refusal:
        raise PositionGapError(epochs.refusal)
    log = epochs.logs[partition]
    return log, epochs.first[log]

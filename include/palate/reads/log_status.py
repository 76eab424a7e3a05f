"""How far each stage is behind the broker, log by log."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from palate import readable
from palate.clients import Reader, kafka_reader
from palate.database import Connection, connect
from palate.landing import gaps
from palate.marts import load_marts
from palate.monitoring import backlog, freshness
from palate.positions import FeedPartition, Range, messages, watermarks
from palate.settings import Settings
from palate.sources import Area, catalog

# Kafka keeps messages this long by default: an older time is hardly the arrival.
_LONGEST_BELIEVED = timedelta(days=7)


@dataclass(frozen=True)
class LogStatus:
    """One partition: offsets are those of the next message; age is in seconds.

    ``lag`` counts offsets from the broker's end, or from what is staged where that is
    further, to the mart that is furthest behind; marts being filled from the history
    don't count. ``oldest_waiting_seconds`` is None if nothing waits, or since when is
    unknown. ``open_transaction`` is where a transaction began that hides what is behind
    it; ``why_stopped`` says why no run reads the log.
    """

    area: str
    topic: str
    epoch: int
    partition: int
    end_offset: int | None
    staged: int
    loaded: int
    marts: dict[str, int]
    lag: int
    oldest_waiting_seconds: float | None
    open_transaction: int | None = None
    why_stopped: str | None = None


def log_states(settings: Settings) -> list[LogStatus]:
    """Return how far each stage is behind the broker.

    A topic that can't be seen is shown as the ledger has it.

    :raises PalateError: if the broker or PostgreSQL does not answer
    """
    with connect(settings) as conn, kafka_reader.open_reader(settings) as reader:
        seen = backlog.measure(conn, reader, catalog.all_topics(settings))
        return logs_of_all(conn, settings, reader, seen, freshness.is_watched(conn))


def logs_of_all(
    conn: Connection,
    settings: Settings,
    reader: Reader | None,
    seen: backlog.Seen,
    is_watched: bool,
) -> list[LogStatus]:
    """Return the logs of each area that is on, in its order.

    :param reader: asked for the times of records, and for gaps; None: neither is known
    :param seen: where the logs end
    """
    return [
        item
        for area in readable.areas(settings)
        for item in _logs_of(conn, settings, area, reader, seen, is_watched)
    ]


def _logs_of(
    conn: Connection,
    settings: Settings,
    area: Area,
    reader: Reader | None,
    seen: backlog.Seen,
    is_watched: bool,
) -> Iterator[LogStatus]:
    marts = {
        name: watermarks(conn, mart.stage)
        for name, mart in load_marts(area.name).items()
    }
    stopped = backlog.stopped_logs(conn)
    topics = catalog.topics(settings, area)
    read = {log: ends for log, ends in seen.logs.items() if log.topic in topics}
    for found in backlog.logs_of(conn, area, backlog.Seen(read)):
        log, ends = found.log, read.get(found.log)
        age = None
        if found.lag:
            since = _since(conn, found, is_watched)
            if since is None and reader and ends:
                start = max(found.staged, found.in_marts)
                since = _sent(reader, log, start, ends.end)
            if since:
                age = round((datetime.now(UTC) - since).total_seconds(), 1)
        yield LogStatus(
            area=area.name,
            topic=log.topic,
            epoch=log.epoch,
            partition=log.partition,
            end_offset=found.end,
            staged=found.staged,
            loaded=found.loaded,
            marts={name: mart.get(log, 0) for name, mart in marts.items()},
            lag=found.lag,
            oldest_waiting_seconds=age,
            open_transaction=ends.open_transaction if ends else None,
            why_stopped=stopped.get(str(log))
            or (_gap(log, found.staged, ends) if reader else None),
        )


def _gap(log: FeedPartition, done: int, ends: backlog.LogEnds | None) -> str | None:
    """Return why a log is stopped that no run has reported yet."""
    if ends is None:
        return None
    if done < ends.begin:
        return gaps.gone(log, done, ends.begin)
    if ends.high < done:
        return (
            f"{log}: the broker ends at offset {ends.high}, but {done} were staged: it "
            "has lost messages. The next run says what to do."
        )
    return None


def _since(
    conn: Connection, found: backlog.LogBacklog, is_watched: bool
) -> datetime | None:
    """Return since when a log is known to have something waiting.

    The watch saw it arrive; otherwise it was staged then. What is waiting on the broker
    has only its senders' times.
    """
    log, behind = found.log, found.in_marts
    place = (log.topic, log.epoch, log.partition, behind)
    seen = None
    if is_watched:
        (seen,) = conn.execute(
            "SELECT seen_dt FROM ops.log_ends WHERE"
            " (topic, epoch, kafka_partition) = (%s, %s, %s) AND end_offset > %s"
            " ORDER BY end_offset LIMIT 1",
            place,
        ).fetchone() or (None,)
    (staged,) = messages.oldest(
        conn, "staged_dt", Range(log, behind, found.staged)
    ) or (None,)
    return min((dt for dt in (seen, staged) if dt), default=None)


def _sent(reader: Reader, log: FeedPartition, start: int, end: int) -> datetime | None:
    """Return the first waiting record's own time, if it may be when it arrived."""
    if start >= end:
        return None
    key = (log.topic, log.partition)
    reader.seek({key: start})
    record = next((polled[0] for polled in reader.records({key: end})), None)
    if record is None:
        return None
    sent, now = kafka_reader.broker_time(record), datetime.now(UTC)
    return sent if now - _LONGEST_BELIEVED <= sent <= now else None

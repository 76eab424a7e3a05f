"""How far each stage is behind the broker, what was refused, what ran last."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from palate import readable
from palate.clients import Reader, kafka_reader
from palate.counted import counted
from palate.database import Connection, connect
from palate.errors import DefinitionError, PalateError, PromiseBrokenError
from palate.incidents import open_incidents
from palate.landing import gaps
from palate.marts import load_marts
from palate.monitoring import Freshness, alarms, backlog, freshness
from palate.positions import FeedPartition, Range, messages, watermarks
from palate.reads.queues import queues
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.tables import initial_load, removal

_OUTLETS = ("tags", "orders", "counters")
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


@dataclass(frozen=True)
class Status:
    """The state of the pipeline at one moment.

    ``refused`` counts by reason, without dismissed messages; ``waiting_tags`` the pairs
    of guest and tag to be evaluated; ``unpublished`` the guests and orders that wait to
    be published, by outlet; ``filling`` the new tables without the whole history;
    ``promises`` the freshness of each area that is on. ``unseen`` names the topics and
    partitions of which nobody knows what waits there, while the rest is known. ``cut``
    and ``dismissed`` are those of ``queues``.
    """

    at: datetime
    logs: list[LogStatus]
    refused: dict[str, int]
    dismissed: int | None
    waiting_ids: int
    waiting_tags: int
    unpublished: dict[str, int]
    promises: list[Freshness]
    last_batches: list[dict[str, Any]]
    filling: list[initial_load.InitialLoad] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unseen: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; times are ISO 8601 in UTC."""
        values = asdict(self)
        values["at"] = self.at.isoformat()
        for promise in values["promises"]:
            promise["watched_dt"] = promise["watched_dt"] and (
                promise["watched_dt"].isoformat()
            )
        # The area that is worst off is the answer for all.
        worst = self.promises.index(self.freshness)
        values["freshness"] = values["promises"][worst]
        return values

    @property
    def freshness(self) -> Freshness:
        """Return the freshness of the area that is worst off."""
        return max(self.promises, key=_badness)

    def check(self) -> None:
        """Raise if the freshness target is missed.

        :raises PromiseBrokenError: says for how long a message has waited
        """
        broken = [str(one) for one in self.promises if not one.is_kept]
        if broken:
            page = "See docs/operations.md, 'The promise is broken'."
            raise PromiseBrokenError(" ".join([*broken, page]))


def status(settings: Settings) -> Status:
    """Return the state from broker and ledger.

    A broker that does not answer is one of the problems, not an error: the ledger is
    shown all the same.

    :raises ServiceUnavailableError: if PostgreSQL does not answer
    """
    problems = kafka_reader.missing_codecs()
    with connect(settings) as conn:
        found = known(conn, settings)
        problems += found.problems
        try:
            with kafka_reader.open_reader(settings) as reader:
                seen = backlog.measure(conn, reader, catalog.all_topics(settings))
                is_watched = freshness.is_watched(conn)
                logs = _logs(conn, settings, reader, seen, is_watched)
        except PalateError as error:
            return replace(found, problems=[*problems, str(error)])
        problems += _blocking(seen, logs, problems)
        promises = _promises(conn, settings, logs)
    return replace(
        found,
        logs=logs,
        promises=promises,
        problems=problems,
        unseen=tuple(sorted(seen.unseen)),
    )


def known(conn: Connection, settings: Settings, most: int | None = None) -> Status:
    """Return what PostgreSQL knows; a log ends where the watch saw it end last.

    :param most: count the queues no further
    """
    topics = catalog.all_topics(settings)
    seen = backlog.noted(conn, topics)
    is_watched = freshness.is_watched(conn)
    logs = _logs(conn, settings, None, seen, is_watched)
    promises = _promises(conn, settings, logs)
    problems = [str(incident) for incident in open_incidents(conn)]
    problems += _alarms_held_up(conn, promises[0])
    if found := _rebuild_under_way(conn):
        problems.append(found)
    wrong = readable.errors(catalog.area_names())
    problems += _unread(wrong, problems)
    defined = {*readable.marts(), *readable.vault_tables()}
    gone = removal.without_definition(conn, defined)
    problems += [removal.sentence(one) for one in gone if one.area not in wrong]
    waits = queues(conn, most)
    return Status(
        at=datetime.now(UTC),
        logs=logs,
        refused=waits.refused,
        dismissed=waits.dismissed,
        waiting_ids=waits.waiting["ids"],
        waiting_tags=waits.waiting["evaluations"],
        unpublished={name: waits.waiting[name] for name in _OUTLETS},
        promises=promises,
        last_batches=_last_batches(conn),
        filling=[item for item in initial_load.pending(conn) if item.name in defined],
        problems=problems,
        unseen=tuple(_unseen(seen, topics, logs)) if is_watched else (),
        cut=waits.cut,
    )


def _unseen(
    seen: backlog.Seen, topics: Iterable[str], logs: list[LogStatus]
) -> Iterator[str]:
    """Yield the topics and partitions that a look did not see."""
    there = {log.topic for log in seen.logs}
    places = {(log.topic, log.partition) for log in seen.logs}
    for topic in topics:
        if topic not in there:
            yield topic
            continue
        for number in sorted({log.partition for log in logs if log.topic == topic}):
            if (topic, number) not in places:
                yield f"{topic}[{number}]"


def _last_batches(conn: Connection) -> list[dict[str, Any]]:
    names = ("batch_id", "stage", "committed_dt", "is_repeat", "dag_id", "run_id")
    rows = conn.execute(
        "SELECT b.batch_id, b.stage, b.committed_dt, b.is_repeat, s.dag_id,"
        " s.run_id, b.counts FROM ops.batches AS b INNER JOIN ops.stage_runs AS s"
        " USING (stage_run_id) ORDER BY b.batch_id DESC LIMIT 8"
    ).fetchall()
    return [
        dict(zip((*names, "counts"), row, strict=True))
        | {"committed_dt": row[2].isoformat()}
        for row in rows
    ]


def _unread(
    wrong: Mapping[str, DefinitionError], known: Sequence[str]
) -> Iterator[str]:
    """Yield which areas can't be read, and have no open incident that says so."""
    reported = "\n".join(known)
    for name, error in wrong.items():
        if str(error) not in reported:
            yield (
                f"The area {name} can't be read, so none of its stages runs; the "
                f"others go on. {error}"
            )


def _rebuild_under_way(conn: Connection) -> str | None:
    row = conn.execute(
        "SELECT begun_dt, compared_dt FROM ops.rebuilds WHERE finished_dt IS NULL"
    ).fetchone()
    if row is None:
        return None
    state = "is compared and waits to be swapped" if row[1] else "is being built"
    return (
        f"A rebuild of vault and marts, begun {row[0]:%F %T} UTC, {state}. If nobody "
        "is at it: `palate rebuild vault` goes on, with --discard it drops it."
    )


def _alarms_held_up(conn: Connection, promise: Freshness) -> Iterator[str]:
    """Yield what keeps alarms from being raised, or sent."""
    if promise.watched_dt and not promise.is_watched:
        yield (
            f"The watch has not run since {promise.watched_dt:%F %T} UTC: no alarm "
            "is raised or sent. See whether its process runs (`make status`)."
        )
    number, since = alarms.undelivered(conn)
    patience = timedelta(seconds=promise.promised_seconds)
    if since and promise.watched_dt and promise.watched_dt - since > patience:
        yield (
            f"{counted(number, 'alarm waits', 'alarms wait')} to be sent, the first "
            f"since {since:%F %T} UTC. The log of the watch says why."
        )


def _blocking(
    seen: backlog.Seen, logs: list[LogStatus], known: Sequence[str]
) -> Iterator[str]:
    """Yield what blocks messages and has no open incident."""
    reported = "\n".join(known)
    for error in seen.unseen.values():
        if str(error) not in reported:
            yield str(error)
    for item in logs:
        if item.why_stopped and item.why_stopped not in reported:
            yield item.why_stopped
    for log, ends in seen.logs.items():
        if ends.open_transaction is not None:
            yield backlog.transaction_sentence(log, ends)


def _badness(promise: Freshness) -> tuple[bool, float]:
    return not promise.is_kept, (
        promise.waiting_seconds or 0
    ) / promise.promised_seconds


def _promises(
    conn: Connection, settings: Settings, logs: list[LogStatus]
) -> list[Freshness]:
    """Return the promise of each area that is on, in their order."""
    return [
        _freshness(freshness.assess(conn, settings, area), logs)
        for area in readable.areas(settings)
    ]


def _freshness(promise: Freshness, logs: list[LogStatus]) -> Freshness:
    """Return what the watch has seen; without one, what else is known of waiting."""
    if promise.is_watched:
        return promise
    ages = [
        item.oldest_waiting_seconds
        for item in logs
        if item.lag and item.area == promise.area
    ]
    known = [age for age in ages if age is not None]
    waiting = max(known, default=None if ages else 0.0)
    is_kept = waiting is None or waiting <= promise.promised_seconds
    return replace(promise, waiting_seconds=waiting, is_kept=is_kept)


def log_states(settings: Settings) -> list[LogStatus]:
    """Return how far each stage is behind the broker.

    A topic that can't be seen is shown as the ledger has it.

    :raises PalateError: if the broker or PostgreSQL does not answer
    """
    with connect(settings) as conn, kafka_reader.open_reader(settings) as reader:
        seen = backlog.measure(conn, reader, catalog.all_topics(settings))
        return _logs(conn, settings, reader, seen, freshness.is_watched(conn))


def _logs(
    conn: Connection,
    settings: Settings,
    reader: Reader | None,
    seen: backlog.Seen,
    is_watched: bool,
) -> list[LogStatus]:
    """Return the logs of each area that is on, in its order."""
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

"""How far each stage is behind the broker, what was refused, what ran last."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from palate import readable
from palate.clients import kafka_reader
from palate.counted import counted
from palate.database import Connection, connect
from palate.errors import DefinitionError, PalateError, PromiseBrokenError
from palate.incidents import open_incidents
from palate.monitoring import Freshness, alarms, backlog, freshness, waiting
from palate.reads.log_status import LogStatus, log_states, logs_of_all
from palate.reads.queues import queues
from palate.settings import Settings
from palate.sources import catalog
from palate.tables import initial_load, removal

__all__ = ["LogStatus", "Status", "known", "log_states", "status"]


@dataclass(frozen=True)
class Status:
    """The state of the pipeline at one moment.

    ``refused`` counts by reason, without dismissed messages; ``waiting_tags`` the pairs
    of guest and tag to be evaluated; ``unpublished`` the guests and orders that wait to
    be published, by outlet; ``uncopied`` the changes of marts that wait for a copy in
    another database; ``filling`` the new tables without the whole history;
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
    uncopied: int = 0

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
                logs = logs_of_all(conn, settings, reader, seen, is_watched)
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
    logs = logs_of_all(conn, settings, None, seen, is_watched)
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
        unpublished={name: waits.waiting[name] for name in waiting.OUTLETS},
        promises=promises,
        last_batches=_last_batches(conn),
        filling=[item for item in initial_load.pending(conn) if item.name in defined],
        problems=problems,
        unseen=tuple(_unseen(seen, topics, logs)) if is_watched else (),
        cut=waits.cut,
        uncopied=waits.waiting["changes"],
    )


def _unseen(
    seen: backlog.Seen, topics: Iterable[str], logs: list[LogStatus]
) -> Iterator[str]:
    """Yield the topics and partitions that the watch did not see."""
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
    seconds = max(known, default=None if ages else 0.0)
    is_kept = seconds is None or seconds <= promise.promised_seconds
    return replace(promise, waiting_seconds=seconds, is_kept=is_kept)

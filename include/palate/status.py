"""How far each stage is behind the broker, what was refused, what ran last."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from palate import removal, staging, vault
from palate.alarms import untold
from palate.counted import counted
from palate.database import Connection, connect
from palate.definitions import load_vault
from palate.epochs import known
from palate.errors import PalateError, PromiseBrokenError
from palate.filling import Filling, all_filling
from palate.freshness import Freshness, freshness
from palate.incidents import open_incidents
from palate.kafka import Reader, TopicState, broker_time, missing_codecs, open_reader
from palate.mart_definitions import load_marts
from palate.names import DICTIONARY_FEED, REPLAY_FEED
from palate.positions import Log, watermarks
from palate.settings import Settings


@dataclass(frozen=True)
class LogStatus:
    """One partition: offsets are those of the next message; age is in seconds.

    ``lag`` counts offsets from the broker's end to the mart that is furthest behind,
    those left out that are new and still being filled from the history.
    """

    topic: str
    epoch: int
    partition: int
    end_offset: int | None
    staged: int
    loaded: int
    marts: dict[str, int]
    lag: int
    oldest_waiting_seconds: float | None


@dataclass(frozen=True)
class Status:
    """The state of the pipeline at one moment.

    ``refused`` counts by reason, without what a person has dismissed; ``waiting_tags``
    the pairs of guest and tag that are to be judged; ``unpublished`` the guests and
    orders that wait to go out, by what it is about them; ``filling`` the tables that
    are new and do not have the whole history yet.
    """

    at: datetime
    logs: list[LogStatus]
    refused: dict[str, int]
    dismissed: int
    waiting_ids: int
    waiting_tags: int
    unpublished: dict[str, int]
    freshness: Freshness
    last_batches: list[dict[str, Any]]
    filling: list[Filling] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; times are ISO 8601 in UTC."""
        values = asdict(self)
        values["at"] = self.at.isoformat()
        watched_dt = self.freshness.watched_dt
        values["freshness"]["watched_dt"] = watched_dt and watched_dt.isoformat()
        return values

    def check(self) -> None:
        """Raise if the promise is broken.

        :raises PromiseBrokenError: tells for how long a message has waited
        """
        if not self.freshness.is_kept:
            message = (
                f"A message waits for the marts for {self.freshness.waiting_seconds:g}"
                f" s; {self.freshness.promised_seconds:g} s are promised. See "
                "docs/operations.md, 'The promise is broken'."
            )
            raise PromiseBrokenError(message)


def status(settings: Settings) -> Status:
    """Look at the broker and the ledger.

    A broker that does not answer is one of the problems, not an error: the ledger is
    shown all the same.

    :raises ServiceUnavailableError: if PostgreSQL does not answer
    """
    problems = missing_codecs()
    with connect(settings) as conn:
        promise = freshness(conn, settings)
        problems += [str(incident) for incident in open_incidents(conn)]
        problems += _unheard(conn, promise)
        if found := _rebuild_under_way(conn):
            problems.append(found)
        defined = {*load_marts(), *load_vault().tables}
        problems += map(removal.sentence, removal.without_definition(conn, defined))
        new_tables = [item for item in all_filling(conn) if item.name in defined]
        try:
            with open_reader(settings) as reader:
                states = [reader.state(topic) for topic in settings.palate_topics]
                logs = _logs(conn, reader, states)
        except PalateError as error:
            problems.append(str(error))
            logs = _logs(conn, None, [])
        refused = conn.execute(
            "SELECT reason, count(*) FROM stg.rejected_messages"
            " WHERE dismissed_dt IS NULL GROUP BY reason ORDER BY reason"
        ).fetchall()
        dismissed = conn.execute(
            "SELECT count(*) FROM stg.rejected_messages WHERE dismissed_dt IS NOT NULL"
        ).fetchone()
        waiting = conn.execute("SELECT count(*) FROM ops.dictionary_lookups").fetchone()
        judged_next = conn.execute("SELECT count(*) FROM ops.tags_waiting").fetchone()
        unpublished = conn.execute(
            "SELECT 'tags', count(*) FROM ops.tag_outbox"
            " UNION ALL SELECT 'orders', count(DISTINCT order_id) FROM ops.order_waits"
            " UNION ALL SELECT 'counters', count(DISTINCT user_id)"
            " FROM ops.counters_waiting"
        ).fetchall()
        batches = conn.execute(
            "SELECT b.batch_id, b.stage, b.committed_dt, b.is_repeat, s.dag_id,"
            " s.run_id, b.counts FROM ops.batches AS b INNER JOIN ops.stage_runs AS s"
            " USING (stage_run_id) ORDER BY b.batch_id DESC LIMIT 8"
        ).fetchall()
    names = (
        "batch_id",
        "stage",
        "committed_dt",
        "is_repeat",
        "dag_id",
        "run_id",
        "counts",
    )
    return Status(
        at=datetime.now(UTC),
        logs=logs,
        refused=dict(refused),
        dismissed=dismissed[0] if dismissed else 0,
        waiting_ids=waiting[0] if waiting else 0,
        waiting_tags=judged_next[0] if judged_next else 0,
        unpublished=dict(unpublished),
        freshness=_freshness(promise, logs),
        last_batches=[
            dict(zip(names, row, strict=True)) | {"committed_dt": row[2].isoformat()}
            for row in batches
        ],
        filling=new_tables,
        problems=problems,
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


def _unheard(conn: Connection, promise: Freshness) -> Iterator[str]:
    """Give what keeps alarms from being raised, or told."""
    if promise.watched_dt and not promise.is_watched:
        yield (
            f"The watch has not looked since {promise.watched_dt:%F %T} UTC: no alarm "
            "is raised or told. See whether its process runs (`make status`)."
        )
    number, since = untold(conn)
    patience = timedelta(seconds=promise.promised_seconds)
    if since and promise.watched_dt and promise.watched_dt - since > patience:
        yield (
            f"{counted(number, 'alarm waits', 'alarms wait')} to be told, the first "
            f"since {since:%F %T} UTC. The log of the watch says why."
        )


def _freshness(promise: Freshness, logs: list[LogStatus]) -> Freshness:
    """Return what the watch has seen; what the times of messages say if there is none.

    Without a watch nobody has seen when a message came.
    """
    if promise.is_watched:
        return promise
    ages = [item.oldest_waiting_seconds or 0 for item in logs]
    waiting = max(ages, default=0)
    is_kept = waiting <= promise.promised_seconds
    return replace(promise, waiting_seconds=waiting, is_kept=is_kept)


def log_states(settings: Settings) -> list[LogStatus]:
    """Look how far each stage is behind the broker.

    :raises PalateError: if the broker or PostgreSQL does not answer
    """
    with connect(settings) as conn, open_reader(settings) as reader:
        return _logs(conn, reader, [reader.state(t) for t in settings.palate_topics])


def _logs(
    conn: Connection, reader: Reader | None, states: list[TopicState]
) -> list[LogStatus]:
    staged = watermarks(conn, staging.STAGE)
    for feed in (DICTIONARY_FEED, REPLAY_FEED):
        staged |= watermarks(conn, feed)
    loaded = watermarks(conn, vault.STAGE)
    counted = {
        name: watermarks(conn, mart.stage) for name, mart in load_marts().items()
    }
    new = {item.name for item in all_filling(conn)}
    filled = [mart for name, mart in counted.items() if name not in new]
    ends: dict[Log, int] = {}
    begins: dict[Log, int] = {}
    for state in states:
        epochs = known(conn, state)
        begins |= epochs.first
        ends |= {item: state.end[number] for number, item in epochs.logs.items()}
    found = []
    for item in sorted(staged.keys() | ends.keys()):
        done = staged.get(item, begins.get(item, 0))
        known_end = ends.get(item)
        behind = min(
            mart.get(item, begins.get(item, 0)) for mart in filled or counted.values()
        )
        found.append(
            LogStatus(
                topic=item.topic,
                epoch=item.epoch,
                partition=item.partition,
                end_offset=known_end,
                staged=done,
                loaded=loaded.get(item, 0),
                marts={name: mart.get(item, 0) for name, mart in counted.items()},
                lag=max((done if known_end is None else known_end) - behind, 0),
                oldest_waiting_seconds=_age(
                    conn, reader, item, behind, done, known_end
                ),
            )
        )
    return found


def _age(
    conn: Connection,
    reader: Reader | None,
    item: Log,
    behind: int,
    done: int,
    end: int | None,
) -> float | None:
    """Return the age of the first message that no mart, or not each, has counted."""
    moment = None
    if behind < done:
        row = conn.execute(
            "SELECT broker_dt FROM stg.order_events WHERE topic = %s AND epoch = %s"
            " AND kafka_partition = %s AND kafka_offset >= %s"
            " ORDER BY kafka_offset LIMIT 1",
            (item.topic, item.epoch, item.partition, behind),
        ).fetchone()
        moment = row[0] if row else None
    elif reader and end is not None and done < end:
        key = (item.topic, item.partition)
        reader.seek({key: done})
        record = next((polled[0] for polled in reader.records({key: end})), None)
        moment = broker_time(record) if record else None
    if moment is None:
        return None
    age: float = (datetime.now(UTC) - moment).total_seconds()
    return round(age, 1)

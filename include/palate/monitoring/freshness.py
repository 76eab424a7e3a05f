"""The freshness target: a message is in the marts within so many seconds (ADR 0018).

Waiting time is measured by the watch's clock, from when it first saw the log end after
the message, since message timestamps are the sender's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from palate import incidents, readable
from palate.clients import Reader
from palate.database import Connection
from palate.errors import PalateError
from palate.incidents import Kind
from palate.marts import load_marts
from palate.monitoring import backlog, log_minutes
from palate.monitoring.backlog import LogBacklog, Seen
from palate.positions import FeedPartition, watermarks
from palate.settings import Settings
from palate.sources import Area, catalog

# A watch that has not checked for this long has stopped.
ASLEEP_SECONDS = 60.0
# What the incident of a broken promise is about, within an area.
_MARTS = "marts"

# Of each log the lowest end, which was seen first: a long outage leaves many.
_OLDEST = """
WITH RECURSIVE oldest AS (
    (
        SELECT e.topic, e.epoch, e.kafka_partition, e.seen_dt
        FROM ops.log_ends AS e
        ORDER BY e.topic, e.epoch, e.kafka_partition, e.end_offset
        LIMIT 1
    )
    UNION ALL
    SELECT following.*
    FROM oldest AS o
    CROSS JOIN LATERAL (
        SELECT e.topic, e.epoch, e.kafka_partition, e.seen_dt
        FROM ops.log_ends AS e
        WHERE (e.topic, e.epoch, e.kafka_partition)
            > (o.topic, o.epoch, o.kafka_partition)
        ORDER BY e.topic, e.epoch, e.kafka_partition, e.end_offset
        LIMIT 1
    ) AS following
)
SELECT
    coalesce(extract(epoch FROM now.dt - min(o.seen_dt)), 0)::float8,
    w.looked_dt,
    extract(epoch FROM now.dt - w.looked_dt)::float8
FROM clock_timestamp() AS now (dt)
LEFT JOIN ops.watch AS w ON TRUE
LEFT JOIN oldest AS o ON o.topic = ANY(%(topics)s)
GROUP BY now.dt, w.looked_dt
"""


@dataclass(frozen=True)
class Freshness:
    """How long the oldest message of an area has waited for a mart; 0 if none waits.

    ``waiting_seconds`` is None if some wait, and since when is unknown.

    ``watched_dt`` is when the watch last checked, None if it never did; ``is_kept``
    says whether the target is met, as far as that is known.
    """

    area: str
    promised_seconds: float
    waiting_seconds: float | None
    watched_dt: datetime | None
    is_watched: bool
    is_kept: bool

    def __str__(self) -> str:
        """Return the sentence about a broken promise."""
        return (
            f"A message waits for the marts of {self.area} for "
            f"{self.waiting_seconds:g} s; {self.promised_seconds:g} s are promised."
        )


@dataclass(frozen=True)
class Observed:
    """What the watch saw: how far the logs of each area are, by its name.

    ``waiting`` has for how many seconds the oldest message of a log has waited, where
    one waits; ``promises`` whether each area's is kept. ``unseen`` says of topics,
    partitions or whole areas, why they were not seen: what waits there is unknown.
    """

    logs: dict[str, list[LogBacklog]]
    waiting: dict[FeedPartition, float]
    promises: list[Freshness]
    unseen: dict[str, PalateError]


def promised(settings: Settings, area: Area) -> float:
    """Return within how many seconds an area's messages are to be in its marts."""
    return area.freshness_seconds or settings.palate_freshness_seconds


def observe(conn: Connection, reader: Reader, settings: Settings) -> Observed:
    """Record where the logs end and how far they are; keep each area's incident.

    :raises PalateError: if the broker does not answer
    """
    logs: dict[str, list[LogBacklog]] = {}
    all_seen: dict[Area, Seen] = {}
    unseen: dict[str, PalateError] = {}
    for area in readable.areas(settings):
        seen = backlog.measure(conn, reader, catalog.topics(settings, area))
        logs[area.name] = [
            one for one in backlog.logs_of(conn, area, seen) if one.end is not None
        ]
        all_seen[area] = seen
        unseen |= seen.unseen
    flat = [one for found in logs.values() for one in found]
    wrong = readable.errors(catalog.names_on(settings))
    kept = {name.partition("[")[0] for name in unseen}
    if wrong:  # which topics are theirs is unknown
        kept |= _noted(conn) - _topics(settings, all_seen)
    with conn.transaction():
        _note(conn, flat, kept)
        waiting = _waiting(conn)
        log_minutes.keep(conn, flat, waiting)
        promises = [
            _keep_incident(conn, settings, area, seen)
            for area, seen in all_seen.items()
        ]
    unseen |= {area_subject(name): error for name, error in wrong.items()}
    return Observed(logs, waiting, promises, unseen)


def area_subject(name: str) -> str:
    """Return what the incident of an area that can't be read is about."""
    return f"sql/areas/{name}"


def _noted(conn: Connection) -> set[str]:
    rows = conn.execute("SELECT DISTINCT topic FROM ops.log_ends").fetchall()
    return {topic for (topic,) in rows}


def _topics(settings: Settings, areas: Iterable[Area]) -> set[str]:
    return {topic for area in areas for topic in catalog.topics(settings, area)}


def _keep_incident(
    conn: Connection, settings: Settings, area: Area, seen: Seen
) -> Freshness:
    """Open or end an area's incident; return whether its promise is kept."""
    subject = area.stage(_MARTS)
    found = assess(conn, settings, area)
    is_kept = (found.waiting_seconds or 0) <= found.promised_seconds
    if is_kept:
        incidents.end(conn, Kind.FRESHNESS, subject)
    elif not incidents.is_open(conn, Kind.FRESHNESS, subject):
        message = _sentence(conn, area, found, seen)
        incidents.begin(conn, Kind.FRESHNESS, subject, message)
    return replace(found, is_kept=is_kept)


def is_watched(conn: Connection) -> bool:
    """Return whether the watch has checked lately."""
    (found,) = conn.execute(
        "SELECT looked_dt >= clock_timestamp() - %s * interval '1 s' FROM ops.watch",
        (ASLEEP_SECONDS,),
    ).fetchone() or (False,)
    return bool(found)


def assess(conn: Connection, settings: Settings, area: Area) -> Freshness:
    """Return what the watch has seen of an area."""
    seconds = promised(settings, area)
    topics = catalog.prompt_topics(settings, area)
    waiting, watched_dt, silent = conn.execute(
        _OLDEST, {"topics": topics}
    ).fetchone() or (0.0, None, None)
    return Freshness(
        area=area.name,
        promised_seconds=seconds,
        waiting_seconds=round(waiting, 1),
        watched_dt=watched_dt,
        is_watched=silent is not None and silent <= ASLEEP_SECONDS,
        is_kept=waiting <= seconds
        and not incidents.is_open(conn, Kind.FRESHNESS, area.stage(_MARTS)),
    )


def _note(conn: Connection, logs: list[LogBacklog], unseen: set[str]) -> None:
    columns = {
        "unseen": sorted(unseen),
        "topics": [one.log.topic for one in logs],
        "epochs": [one.log.epoch for one in logs],
        "partitions": [one.log.partition for one in logs],
        "ends": [one.end for one in logs],
        "reached": [one.in_marts for one in logs],
    }
    now = (
        "unnest(%(topics)s::text[], %(epochs)s::integer[], %(partitions)s::integer[],"
        " %(ends)s::bigint[], %(reached)s::bigint[])"
        " AS l (topic, epoch, kafka_partition, end_offset, reached)"
    )
    same = (
        "(e.topic, e.epoch, e.kafka_partition) = (l.topic, l.epoch, l.kafka_partition)"
    )
    conn.execute(
        f"DELETE FROM ops.log_ends AS e WHERE NOT EXISTS (SELECT FROM {now}"
        f" WHERE {same} AND e.end_offset > l.reached) AND e.topic <> ALL(%(unseen)s)",
        columns,
    )
    conn.execute(
        "INSERT INTO ops.log_ends (topic, epoch, kafka_partition, end_offset, seen_dt)"
        " SELECT l.topic, l.epoch, l.kafka_partition, l.end_offset, clock_timestamp()"
        f" FROM {now} WHERE l.end_offset > l.reached AND NOT EXISTS"
        f" (SELECT FROM ops.log_ends AS e WHERE {same}"
        " AND e.end_offset >= l.end_offset)",
        columns,
    )
    conn.execute(
        "INSERT INTO ops.watch (looked_dt) VALUES (clock_timestamp())"
        " ON CONFLICT ((TRUE)) DO UPDATE SET looked_dt = excluded.looked_dt"
    )


def _waiting(conn: Connection) -> dict[FeedPartition, float]:
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition,"
        " extract(epoch FROM clock_timestamp() - min(seen_dt))::float8"
        " FROM ops.log_ends GROUP BY topic, epoch, kafka_partition"
    ).fetchall()
    return {FeedPartition(*log): seconds for *log, seconds in rows}


def _sentence(conn: Connection, area: Area, found: Freshness, seen: Seen) -> str:
    topic, epoch, partition, end = conn.execute(
        "SELECT topic, epoch, kafka_partition, end_offset FROM ops.log_ends"
        " WHERE topic = ANY(%s) ORDER BY seen_dt, topic, kafka_partition LIMIT 1",
        (sorted({log.topic for log in seen.logs} | seen.unseen.keys()),),
    ).fetchone() or ("", 0, 0, 0)
    log = FeedPartition(topic, epoch, partition)
    stages = [area.drain, area.vault]
    stages += [mart.stage for mart in load_marts(area.name).values()]
    at = ", ".join(
        f"{stage} {watermarks(conn, stage).get(log, 'nowhere')}" for stage in stages
    )
    ends = seen.logs.get(log)
    staged = watermarks(conn, area.drain).get(log, ends.first if ends else 0)
    if ends and ends.open_transaction is not None and staged >= ends.end:
        why = f" {backlog.transaction_sentence(log, ends)}"
    elif stopped := backlog.stopped_logs(conn).get(str(log)):
        why = f" {stopped}"
    else:
        why = " See docs/operations.md, 'The promise is broken'."
    return (
        f"A message waits for the marts of {area.name} for "
        f"{found.waiting_seconds:.0f} s; {found.promised_seconds:g} s are promised. "
        f"{log} ended at offset {end} then; the stages are at: {at}.{why}"
    )

"""The promise: a message is in the marts within so many seconds (ADR 0018).

How long a message has waited is not told by its own time, which may be anybody's: it is
counted from when the watch first saw the log end behind it.
"""

from dataclasses import dataclass
from datetime import datetime

from palate import incidents, staging, vault
from palate.database import Connection
from palate.epochs import known
from palate.incidents import Kind
from palate.kafka import Reader
from palate.mart_definitions import load_marts
from palate.positions import Log, watermarks
from palate.settings import Settings

# A watch that has not looked for so long stands still.
ASLEEP_SECONDS = 60.0
_SUBJECT = "marts"


@dataclass(frozen=True)
class Freshness:
    """How long the oldest message has waited for a mart; 0 if none waits.

    ``watched_dt`` is when the watch last looked, None if it never did; ``is_kept``
    says whether the promise is, as far as that is known.
    """

    promised_seconds: float
    waiting_seconds: float
    watched_dt: datetime | None
    is_watched: bool
    is_kept: bool


def look(conn: Connection, reader: Reader, settings: Settings) -> Freshness:
    """Note where the logs end; begin or end the incident of the promise.

    :raises PalateError: if the broker does not answer, or lacks a topic
    """
    # The broker first: what is counted meanwhile must not look as if it waited.
    states = [reader.state(topic) for topic in settings.palate_topics]
    counted = [watermarks(conn, mart.stage) for mart in load_marts().values()]
    logs: list[tuple[Log, int, int]] = []
    for state in states:
        epochs = known(conn, state)
        for partition, log in epochs.logs.items():
            first = epochs.first[log]
            reached = min(marks.get(log, first) for marks in counted)
            logs.append((log, state.end[partition], reached))
    with conn.transaction():
        _note(conn, logs)
        found = freshness(conn, settings)
        if found.waiting_seconds <= settings.palate_freshness_seconds:
            incidents.end(conn, Kind.FRESHNESS, _SUBJECT)
        elif not incidents.is_open(conn, Kind.FRESHNESS, _SUBJECT):
            message = _sentence(conn, found)
            incidents.begin(conn, Kind.FRESHNESS, _SUBJECT, message)
    return found


def freshness(conn: Connection, settings: Settings) -> Freshness:
    """Return what the watch has seen."""
    promised = settings.palate_freshness_seconds
    waiting, watched_dt, silent = conn.execute(
        "SELECT coalesce(extract(epoch FROM now.dt - min(e.seen_dt)), 0)::float8,"
        " w.looked_dt, extract(epoch FROM now.dt - w.looked_dt)::float8"
        " FROM clock_timestamp() AS now (dt) LEFT JOIN ops.watch AS w ON TRUE"
        " LEFT JOIN ops.log_ends AS e ON TRUE GROUP BY now.dt, w.looked_dt"
    ).fetchone() or (0.0, None, None)
    return Freshness(
        promised_seconds=promised,
        waiting_seconds=round(waiting, 1),
        watched_dt=watched_dt,
        is_watched=silent is not None and silent <= ASLEEP_SECONDS,
        is_kept=waiting <= promised
        and not incidents.is_open(conn, Kind.FRESHNESS, _SUBJECT),
    )


def _note(conn: Connection, logs: list[tuple[Log, int, int]]) -> None:
    columns = {
        "topics": [log.topic for log, _, _ in logs],
        "epochs": [log.epoch for log, _, _ in logs],
        "partitions": [log.partition for log, _, _ in logs],
        "ends": [end for _, end, _ in logs],
        "reached": [reached for _, _, reached in logs],
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
        f" WHERE {same} AND e.end_offset > l.reached)",
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


def _sentence(conn: Connection, found: Freshness) -> str:
    topic, epoch, partition, end = conn.execute(
        "SELECT topic, epoch, kafka_partition, end_offset FROM ops.log_ends"
        " ORDER BY seen_dt, topic, kafka_partition LIMIT 1"
    ).fetchone() or ("", 0, 0, 0)
    log = Log(topic, epoch, partition)
    stages = [staging.STAGE, vault.STAGE]
    stages += [mart.stage for mart in load_marts().values()]
    at = ", ".join(
        f"{stage} {watermarks(conn, stage).get(log, 'nowhere')}" for stage in stages
    )
    return (
        f"A message waits for the marts for {found.waiting_seconds:.0f} s; "
        f"{found.promised_seconds:g} s are promised. {log} ended at offset {end} then; "
        f"the stages stand at: {at}. See docs/operations.md, 'The promise is broken'."
    )

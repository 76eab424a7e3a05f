"""The freshness target: a message is in the marts within so many seconds (ADR 0018).

Waiting time is measured by the watch's clock, from when it first saw the log end after
the message, since message timestamps are the sender's.
"""

from dataclasses import dataclass
from datetime import datetime

from palate import incidents, vault
from palate.clients import Reader
from palate.database import Connection
from palate.errors import PalateError
from palate.incidents import Kind
from palate.landing import drain
from palate.marts import load_marts
from palate.monitoring import backlog
from palate.monitoring.backlog import Seen
from palate.positions import FeedPartition, watermarks
from palate.settings import Settings

# A watch that has not checked for this long has stopped.
ASLEEP_SECONDS = 60.0
_SUBJECT = "marts"


@dataclass(frozen=True)
class Freshness:
    """How long the oldest message has waited for a mart; 0 if none waits.

    ``waiting_seconds`` is None if some wait, and since when is unknown.

    ``watched_dt`` is when the watch last checked, None if it never did; ``is_kept``
    says whether the target is met, as far as that is known.
    """

    promised_seconds: float
    waiting_seconds: float | None
    watched_dt: datetime | None
    is_watched: bool
    is_kept: bool


def observe(
    conn: Connection, reader: Reader, settings: Settings
) -> dict[str, PalateError]:
    """Record where the logs end; open or end the incident of the freshness target.

    Return why topics, or partitions, were not seen: what waits there is unknown.

    :raises PalateError: if the broker does not answer
    """
    # The broker first: otherwise messages counted meanwhile would seem to wait.
    seen = backlog.measure(conn, reader, settings.palate_topics)
    marts = backlog.counting_marts(conn)
    logs = [
        (log, ends.high, min(marks.get(log, ends.first) for marks in marts.values()))
        for log, ends in seen.logs.items()
    ]
    with conn.transaction():
        _note(conn, logs, {name.partition("[")[0] for name in seen.unseen})
        found = assess(conn, settings)
        if (found.waiting_seconds or 0) <= settings.palate_freshness_seconds:
            incidents.end(conn, Kind.FRESHNESS, _SUBJECT)
        elif not incidents.is_open(conn, Kind.FRESHNESS, _SUBJECT):
            message = _sentence(conn, found, seen)
            incidents.begin(conn, Kind.FRESHNESS, _SUBJECT, message)
    return seen.unseen


def assess(conn: Connection, settings: Settings) -> Freshness:
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


def _note(
    conn: Connection, logs: list[tuple[FeedPartition, int, int]], unseen: set[str]
) -> None:
    columns = {
        "unseen": sorted(unseen),
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


def _sentence(conn: Connection, found: Freshness, seen: Seen) -> str:
    topic, epoch, partition, end = conn.execute(
        "SELECT topic, epoch, kafka_partition, end_offset FROM ops.log_ends"
        " ORDER BY seen_dt, topic, kafka_partition LIMIT 1"
    ).fetchone() or ("", 0, 0, 0)
    log = FeedPartition(topic, epoch, partition)
    stages = [drain.STAGE, vault.STAGE]
    stages += [mart.stage for mart in load_marts().values()]
    at = ", ".join(
        f"{stage} {watermarks(conn, stage).get(log, 'nowhere')}" for stage in stages
    )
    ends = seen.logs.get(log)
    staged = watermarks(conn, drain.STAGE).get(log, ends.first if ends else 0)
    if ends and ends.open_transaction is not None and staged >= ends.end:
        why = f" {backlog.transaction_sentence(log, ends)}"
    elif stopped := backlog.stopped_logs(conn).get(str(log)):
        why = f" {stopped}"
    else:
        why = " See docs/operations.md, 'The promise is broken'."
    return (
        f"A message waits for the marts for {found.waiting_seconds:.0f} s; "
        f"{found.promised_seconds:g} s are promised. {log} ended at offset {end} then; "
        f"the stages are at: {at}.{why}"
    )

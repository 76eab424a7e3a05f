"""How far behind each log was, minute by minute: the history of lag and waiting.

What the watch does not see has no row, so that a gap looks like one.
"""

from palate.database import Connection
from palate.monitoring.backlog import LogBacklog


def keep(conn: Connection, logs: list[LogBacklog]) -> None:
    """Record what was seen of some logs just now, in the row of this minute.

    :param logs: each with an end, of which ``ops.log_ends`` knows since when it waits
    """
    conn.execute(
        "INSERT INTO ops.log_minutes AS m (minute_dt, topic, epoch, kafka_partition,"
        " looked_dt, end_offset, staged_offset, mart_offset, max_lag,"
        " max_waiting_seconds) SELECT date_trunc('minute', now.dt), l.topic, l.epoch,"
        " l.kafka_partition, now.dt, l.end_offset, l.staged, l.in_marts, l.lag,"
        " coalesce(extract(epoch FROM now.dt - (SELECT min(e.seen_dt)"
        " FROM ops.log_ends AS e WHERE (e.topic, e.epoch, e.kafka_partition)"
        " = (l.topic, l.epoch, l.kafka_partition) AND e.end_offset > l.in_marts)), 0)"
        " FROM clock_timestamp() AS now (dt), unnest(%s::text[], %s::integer[],"
        " %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])"
        " AS l (topic, epoch, kafka_partition, end_offset, staged, in_marts, lag)"
        " ON CONFLICT (minute_dt, topic, epoch, kafka_partition) DO UPDATE SET"
        " looked_dt = excluded.looked_dt, end_offset = excluded.end_offset,"
        " staged_offset = excluded.staged_offset, mart_offset = excluded.mart_offset,"
        " max_lag = greatest(m.max_lag, excluded.max_lag), max_waiting_seconds"
        " = greatest(m.max_waiting_seconds, excluded.max_waiting_seconds)",
        (
            [one.log.topic for one in logs],
            [one.log.epoch for one in logs],
            [one.log.partition for one in logs],
            [one.end for one in logs],
            [one.staged for one in logs],
            [one.in_marts for one in logs],
            [one.lag for one in logs],
        ),
    )

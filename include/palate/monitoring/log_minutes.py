"""How far behind each log was, minute by minute: the history of lag and waiting.

What the watch does not see has no row, so that a gap looks like one.
"""

from collections.abc import Mapping

from palate.database import Connection
from palate.monitoring.backlog import LogBacklog
from palate.positions import FeedPartition


def keep(
    conn: Connection, logs: list[LogBacklog], waiting: Mapping[FeedPartition, float]
) -> None:
    """Record what was seen of some logs just now, in the row of this minute.

    :param logs: each with an end
    :param waiting: for how many seconds the oldest message has waited, where one does
    """
    conn.execute(
        "INSERT INTO ops.log_minutes AS m (minute_dt, topic, epoch, kafka_partition,"
        " looked_dt, end_offset, staged_offset, mart_offset, max_lag,"
        " max_waiting_seconds) SELECT date_trunc('minute', now.dt), l.topic, l.epoch,"
        " l.kafka_partition, now.dt, l.end_offset, l.staged, l.in_marts, l.lag,"
        " l.waiting FROM clock_timestamp() AS now (dt), unnest(%s::text[],"
        " %s::integer[], %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::bigint[], %s::float8[]) AS l (topic, epoch, kafka_partition, end_offset,"
        " staged, in_marts, lag, waiting)"
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
            [waiting.get(one.log, 0.0) for one in logs],
        ),
    )

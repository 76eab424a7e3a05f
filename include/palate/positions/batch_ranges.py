"""The positions of an open batch, where the batch's statements find them."""

import logging
from collections.abc import Mapping

from psycopg.types.json import Jsonb

from palate.database import Connection
from palate.names import is_replay
from palate.positions.ranges import Range

log = logging.getLogger(__name__)


def make_ranges(
    conn: Connection,
    ranges: list[Range],
    forms: Mapping[str, str] | None = None,
    *,
    may_accept: bool = False,
) -> None:
    """Create the temporary table ``batch_ranges`` of an open batch.

    A range of a replay feed means the positions that are queued in it.

    :param forms: the form of each topic's messages, for a batch that parses them
    :param may_accept: whether refused messages may be accepted now
    """
    conn.execute(
        "CREATE TEMP TABLE batch_ranges ("
        ' topic text COLLATE "C", epoch integer, kafka_partition integer,'
        " from_offset bigint, to_offset bigint, form text, is_replay boolean"
        ") ON COMMIT DROP"
    )
    forms = dict(forms or {})
    kafka = [item for item in ranges if not is_replay(item.log.topic)]
    # One statement, for the reason given where StageRun enters a batch.
    conn.execute(
        "INSERT INTO batch_ranges SELECT *, FALSE FROM unnest(%s::text[],"
        " %s::integer[], %s::integer[], %s::bigint[], %s::bigint[], %s::text[])",
        (
            [item.log.topic for item in kafka],
            [item.log.epoch for item in kafka],
            [item.log.partition for item in kafka],
            [item.start for item in kafka],
            [item.end for item in kafka],
            [forms.get(item.log.topic) for item in kafka],
        ),
    )
    for item in ranges:
        if is_replay(item.log.topic):
            conn.execute(
                "INSERT INTO batch_ranges SELECT DISTINCT topic, epoch,"
                " kafka_partition, kafka_offset, kafka_offset + 1,"
                " %(forms)s::jsonb ->> topic, %(may_accept)s FROM ops.replays"
                " WHERE feed = %(feed)s"
                " AND replay_offset >= %(start)s AND replay_offset < %(end)s",
                {
                    "feed": item.log.topic,
                    "forms": Jsonb(forms),
                    "may_accept": may_accept,
                    "start": item.start,
                    "end": item.end,
                },
            )
            if may_accept:
                _warn_of_dropped(conn, item)


def _warn_of_dropped(conn: Connection, item: Range) -> None:
    """Warn about messages of an old, cleared replay that STG no longer has."""
    (number,) = conn.execute(
        "SELECT count(*) FROM ops.replays AS r INNER JOIN ops.event_partitions AS p"
        " USING (topic, epoch, kafka_partition)"
        " WHERE r.feed = %s AND r.replay_offset >= %s AND r.replay_offset < %s"
        " AND p.dropped_dt IS NOT NULL"
        " AND r.kafka_offset >= p.from_offset AND r.kafka_offset < p.to_offset",
        (item.log.topic, item.start, item.end),
    ).fetchone() or (0,)
    if number:
        log.warning(
            "%s messages of %s are not evaluated again: retention has dropped them"
            " from STG. What the vault and the marts have of them stays.",
            number,
            item,
        )

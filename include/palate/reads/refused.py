"""Refused messages, as people see them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from palate.database import Connection
from palate.errors import RequestError
from palate.landing import refusals
from palate.names import is_feed
from palate.positions import FeedPartition, Range
from palate.reads.refused_message import FOUND, Content, Rejected, Replay, show

__all__ = [
    "Content",
    "Refused",
    "Rejected",
    "Replay",
    "Total",
    "count",
    "find",
    "page",
    "show",
    "still_refused",
]

PAGE = 50


@dataclass(frozen=True)
class Total:
    """A sum of counts; ``is_more`` where one of them was not counted to its end."""

    number: int
    is_more: bool


@dataclass(frozen=True)
class Refused:
    """A page of refused messages, the first positions first.

    ``counts`` are of all that is selected, by reason; ``open_counts`` leave the
    dismissed ones out; ``by_reason`` is for any reason. One above ``most`` was not
    counted any further. ``next`` is the position that the next page comes after.
    """

    at: datetime
    selection: refusals.Selection
    counts: dict[str, int]
    open_counts: dict[str, int]
    by_reason: dict[str, int]
    most: int | None
    topics: list[str]
    messages: list[Rejected]
    next: str | None

    @property
    def total(self) -> Total:
        """Return how many are selected."""
        return _total(self.counts, self.most)

    @property
    def total_open(self) -> Total:
        """Return how many of them are not dismissed."""
        return _total(self.open_counts, self.most)


_POSITION = re.compile(
    r"([A-Za-z0-9._-]{1,249})/([0-9]{1,9})/([0-9]{1,9})/([0-9]{1,18})"
)
# Reason by reason, each from the index that has them in order.
_COUNTS = f"""
WITH RECURSIVE reasons AS (
    SELECT min(m.reason) AS reason FROM stg.rejected_messages AS m
    UNION ALL
    SELECT (
        SELECT min(m.reason) FROM stg.rejected_messages AS m
        WHERE m.reason > r.reason
    )
    FROM reasons AS r
    WHERE r.reason IS NOT NULL
)
SELECT r.reason, c.number
FROM (SELECT reason FROM reasons WHERE reason IS NOT NULL) AS r
CROSS JOIN LATERAL (
    SELECT count(*) AS number
    FROM (
        SELECT {refusals.CHOSEN} AND m.reason = r.reason LIMIT %(most)s
    ) AS chosen
) AS c
WHERE c.number > 0
ORDER BY r.reason
"""
_PAGE = f"""
WITH found AS (
    SELECT m.*
    {refusals.CHOSEN}
    AND (
        %(after_topic)s::text IS NULL
        OR (m.topic, m.epoch, m.kafka_partition, m.kafka_offset) > (
            %(after_topic)s::text, %(after_epoch)s::integer,
            %(after_partition)s::integer, %(after_offset)s::bigint
        )
    )
    ORDER BY {refusals.POSITION}
    LIMIT %(limit)s
), times AS (
    SELECT e.topic, e.epoch, e.kafka_partition, e.kafka_offset, e.broker_dt
    FROM (
        SELECT topic, epoch, kafka_partition, array_agg(kafka_offset) AS offsets
        FROM found
        GROUP BY topic, epoch, kafka_partition
    ) AS f
    CROSS JOIN LATERAL stg.messages_at(
        f.topic, f.epoch, f.kafka_partition, f.offsets
    ) AS e
)
SELECT {FOUND}
FROM found AS m
LEFT JOIN times AS e USING ({refusals.POSITION})
ORDER BY 1, 2, 3, 4
"""


def find(
    conn: Connection, selection: refusals.Selection, after: str | None = None
) -> list[Rejected]:
    """Return the selected messages, by position.

    :param after: only those behind this position
    :raises RequestError: if that is no position
    """
    log, offset = _parsed(after) if after else (None, None)
    values = refusals.values_of(selection) | {
        "after_topic": log.topic if log else None,
        "after_epoch": log.epoch if log else None,
        "after_partition": log.partition if log else None,
        "after_offset": offset,
    }
    return [Rejected(*row) for row in conn.execute(_PAGE, values)]


def count(
    conn: Connection, selection: refusals.Selection, most: int | None = None
) -> dict[str, int]:
    """Return how many messages are selected by reason, whatever the selection's limit.

    :param most: of each reason, at most one more than so many are counted
    """
    values = refusals.values_of(selection) | {
        "most": None if most is None else most + 1
    }
    return dict(conn.execute(_COUNTS, values).fetchall())


def page(
    conn: Connection,
    selection: refusals.Selection,
    *,
    after: str | None = None,
    limit: int = PAGE,
    most: int | None = None,
) -> Refused:
    """Return a page of what is selected, with the counts of all of it.

    :param after: the position that the page comes after
    :param most: how far each reason is counted, see ``count``
    :raises RequestError: if ``after`` is no position
    """
    by_reason = count(conn, replace(selection, reasons=()), most)
    reasons = selection.reasons or tuple(by_reason)
    counts = {name: n for name, n in by_reason.items() if name in reasons}
    open_counts = counts
    if selection.with_dismissed:
        open_counts = count(conn, replace(selection, with_dismissed=False), most)
    found = find(conn, replace(selection, limit=limit + 1), after)
    shown = found[:limit]
    (at,) = conn.execute("SELECT now()").fetchall()[0]
    topics = conn.execute("SELECT DISTINCT topic FROM ops.watermarks ORDER BY topic")
    return Refused(
        at=at,
        selection=selection,
        counts=counts,
        open_counts=open_counts,
        by_reason=by_reason,
        most=most,
        topics=[topic for (topic,) in topics if not is_feed(topic)],
        messages=shown,
        next=shown[-1].position if len(found) > limit else None,
    )


def still_refused(conn: Connection, ranges: Sequence[Range]) -> dict[str, int]:
    """Return the messages of a replay that are refused or still waiting, by reason."""
    rows = conn.execute(
        "SELECT m.reason, count(*) FROM ops.replays AS q"
        f" INNER JOIN stg.rejected_messages AS m USING ({refusals.POSITION})"
        " INNER JOIN unnest(%s::text[], %s::bigint[], %s::bigint[])"
        " AS r (feed, low, high) ON q.feed = r.feed"
        " AND q.replay_offset >= r.low AND q.replay_offset < r.high"
        " GROUP BY m.reason ORDER BY m.reason",
        (
            [item.log.topic for item in ranges],
            [item.start for item in ranges],
            [item.end for item in ranges],
        ),
    )
    return dict(rows.fetchall())


def _parsed(position: str) -> tuple[FeedPartition, int]:
    match = _POSITION.fullmatch(position)
    if not match:
        message = (
            f"{position!r} is no position. Write topic/epoch/partition/offset, such as "
            "orders/0/2/160."
        )
        raise RequestError(message)
    topic, *numbers = match.groups()
    epoch, partition, offset = map(int, numbers)
    return FeedPartition(topic, epoch, partition), offset


def _total(counts: dict[str, int], most: int | None) -> Total:
    if most is None:
        return Total(sum(counts.values()), False)
    return Total(
        sum(min(n, most) for n in counts.values()),
        any(n > most for n in counts.values()),
    )

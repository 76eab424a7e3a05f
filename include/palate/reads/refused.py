"""Refused messages, as people see them."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from palate.database import Connection
from palate.errors import NotFoundError, RequestError
from palate.landing import refusals
from palate.names import is_feed
from palate.positions import FeedPartition, Range

PAGE = 50
# What came with the same key is looked for so many positions before and after.
NEIGHBOURHOOD = 1_000

_SHOWN_NEIGHBOURS = 20


@dataclass(frozen=True)
class Rejected:
    """A refused message without its bytes; ``is_queued`` while a replay of it waits."""

    topic: str
    epoch: int
    partition: int
    offset: int
    broker_dt: datetime | None
    reason: str
    detail: str
    rejected_dt: datetime
    dismissed_dt: datetime | None
    dismissed_by: str | None
    dismissed_why: str | None
    is_queued: bool

    @property
    def position(self) -> str:
        """Return ``topic/epoch/partition/offset``."""
        return f"{self.topic}/{self.epoch}/{self.partition}/{self.offset}"


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


@dataclass(frozen=True)
class Replay:
    """A replay of one message: whose run asked for it, and when it was judged again.

    Without ``judged_dt`` it waits, or the ledger has been pruned since.
    """

    asked_dt: datetime
    dag_id: str | None
    run_id: str | None
    is_waiting: bool
    judged_dt: datetime | None


@dataclass(frozen=True)
class Neighbour:
    """Another message of the same log with the same key; ``size`` is in bytes."""

    offset: int
    broker_dt: datetime
    size: int | None
    is_refused: bool


@dataclass(frozen=True)
class Content:
    """A refused message with all that came with it; headers as STG keeps them.

    ``is_gone`` where retention has dropped it from STG. ``same_key`` are the messages
    nearest to it among those at most ``NEIGHBOURHOOD`` positions away.
    """

    rejected: Rejected
    message: bytes | None
    key: bytes | None
    headers: bytes | None
    is_gone: bool
    replays: list[Replay]
    same_key: list[Neighbour]
    around: ClassVar[int] = NEIGHBOURHOOD

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; bytes are in base64."""
        raw = {"message": self.message, "key": self.key, "headers": self.headers}
        return (
            asdict(self.rejected)
            | {
                f"{name}_base64": None if value is None else b64encode(value).decode()
                for name, value in raw.items()
            }
            | {
                "is_gone": self.is_gone,
                "replays": [asdict(one) for one in self.replays],
                "same_key": [asdict(one) for one in self.same_key],
            }
        )

    @property
    def header_values(self) -> list[tuple[str, bytes | None]]:
        """Return the name and the value of each header."""
        return [
            (name, None if value is None else b64decode(value))
            for name, value, *_ in json.loads(self.headers or b"[]")
        ]


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
FROM reasons AS r
CROSS JOIN LATERAL (
    SELECT count(*) AS number
    FROM (
        SELECT {refusals.CHOSEN} AND m.reason = r.reason LIMIT %(most)s
    ) AS chosen
) AS c
WHERE c.number > 0
ORDER BY r.reason
"""
# Whether a replay that is queued has not been judged yet.
_WAITS = """
    q.replay_offset >= coalesce((
        SELECT max(w.next_offset)
        FROM ops.watermarks AS w
        INNER JOIN ops.stages AS s ON w.stage = s.stage
        WHERE s.reads_staging AND w.topic = q.feed
    ), 0)
"""
_AT = """
    (q.topic, q.epoch, q.kafka_partition, q.kafka_offset)
    = (m.topic, m.epoch, m.kafka_partition, m.kafka_offset)
"""
_FOUND = f"""
    m.topic, m.epoch, m.kafka_partition, m.kafka_offset, e.broker_dt, m.reason,
    m.detail, m.rejected_dt, m.dismissed_dt, m.dismissed_by, m.dismissed_why,
    EXISTS (SELECT FROM ops.replays AS q WHERE {_AT} AND {_WAITS}) AS is_queued
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
SELECT {_FOUND}
FROM found AS m
LEFT JOIN times AS e USING ({refusals.POSITION})
ORDER BY 1, 2, 3, 4
"""
_ONE = f"""
SELECT {_FOUND}, e.message, e.kafka_key, e.headers, {refusals.IS_GONE}
FROM (SELECT m.* {refusals.CHOSEN}) AS m
LEFT JOIN LATERAL stg.messages(
    m.topic, m.epoch, m.kafka_partition, m.kafka_offset, m.kafka_offset + 1
) AS e ON TRUE
"""
_REPLAYS = f"""
SELECT q.asked_dt, asked.dag_id, asked.run_id, {_WAITS}, judged.committed_dt
FROM ops.replays AS q
LEFT JOIN LATERAL (
    SELECT s.dag_id, s.run_id
    FROM ops.batch_ranges AS r
    INNER JOIN ops.batches AS b ON r.batch_id = b.batch_id AND b.stage = q.feed
    INNER JOIN ops.stage_runs AS s ON b.stage_run_id = s.stage_run_id
    WHERE r.topic = q.feed AND r.from_offset <= q.replay_offset
        AND r.to_offset > q.replay_offset
    ORDER BY b.batch_id
    LIMIT 1
) AS asked ON TRUE
LEFT JOIN LATERAL (
    SELECT b.committed_dt
    FROM ops.batch_ranges AS r
    INNER JOIN ops.batches AS b ON r.batch_id = b.batch_id
    INNER JOIN ops.stages AS v ON b.stage = v.stage AND v.reads_staging
    WHERE r.topic = q.feed AND r.from_offset <= q.replay_offset
        AND r.to_offset > q.replay_offset
    ORDER BY b.batch_id DESC
    LIMIT 1
) AS judged ON TRUE
WHERE (q.topic, q.epoch, q.kafka_partition, q.kafka_offset)
    = (%(topic)s, %(epoch)s, %(partition)s, %(offset)s)
ORDER BY q.asked_dt, q.replay_offset
"""
_SAME_KEY = """
SELECT e.kafka_offset, e.broker_dt, length(e.message), EXISTS (
    SELECT FROM stg.rejected_messages AS m
    WHERE (m.topic, m.epoch, m.kafka_partition, m.kafka_offset)
        = (e.topic, e.epoch, e.kafka_partition, e.kafka_offset)
)
FROM stg.messages(
    %(topic)s, %(epoch)s, %(partition)s,
    greatest(%(offset)s::bigint - %(around)s::bigint, 0),
    %(offset)s::bigint + %(around)s::bigint + 1
) AS e
WHERE e.kafka_key = %(key)s AND e.kafka_offset <> %(offset)s
ORDER BY abs(e.kafka_offset - %(offset)s::bigint)
LIMIT %(most)s
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


def show(conn: Connection, log: FeedPartition, offset: int) -> Content:
    """Return one refused message.

    :raises NotFoundError: if there is no refused message at this position
    """
    selection = refusals.Selection(
        topic=log.topic,
        epoch=log.epoch,
        partition=log.partition,
        offsets=((offset, offset),),
        with_dismissed=True,
    )
    row = conn.execute(_ONE, refusals.values_of(selection)).fetchone()
    at = {
        "topic": log.topic,
        "epoch": log.epoch,
        "partition": log.partition,
        "offset": offset,
    }
    replays = [Replay(*one) for one in conn.execute(_REPLAYS, at)]
    if row is None:
        raise NotFoundError(_why_absent(log, offset, replays))
    *rejected, message, key, headers, is_gone = row
    same_key = []
    if key is not None:
        values = at | {"key": key, "around": NEIGHBOURHOOD, "most": _SHOWN_NEIGHBOURS}
        same_key = [Neighbour(*one) for one in conn.execute(_SAME_KEY, values)]
    return Content(
        rejected=Rejected(*rejected),
        message=message,
        key=key,
        headers=headers,
        is_gone=is_gone,
        replays=replays,
        same_key=sorted(same_key, key=lambda one: one.offset),
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


def _why_absent(log: FeedPartition, offset: int, replays: Sequence[Replay]) -> str:
    judged = [one for one in replays if one.judged_dt and not one.is_waiting]
    if judged:
        last = judged[-1]
        whose = f" by {last.run_id} of {last.dag_id}" if last.run_id else ""
        return (
            f"The message at {log} offset {offset} was accepted at "
            f"{last.judged_dt:%F %T} UTC, when it was replayed{whose}. It is refused "
            "no more."
        )
    return (
        f"There is no refused message at {log} offset {offset}. `palate rejected list` "
        "has the positions; one that was accepted since is there no more."
    )

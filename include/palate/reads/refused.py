"""Refused messages, as people see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from palate.database import connect
from palate.errors import NotFoundError
from palate.landing import refusals
from palate.positions import FeedPartition, Range
from palate.settings import Settings


@dataclass(frozen=True)
class Rejected:
    """A refused message without its bytes."""

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


@dataclass(frozen=True)
class Content:
    """A refused message with all that came with it; headers as STG keeps them.

    ``is_gone`` where retention has dropped it from STG.
    """

    rejected: Rejected
    message: bytes | None
    key: bytes | None
    headers: bytes | None
    is_gone: bool


_FOUND = (
    "m.topic, m.epoch, m.kafka_partition, m.kafka_offset, e.broker_dt, m.reason,"
    " m.detail, m.rejected_dt, m.dismissed_dt, m.dismissed_by, m.dismissed_why"
)
_WITH_MESSAGES = f"""
FROM (SELECT m.* {refusals.CHOSEN} ORDER BY {refusals.POSITION} LIMIT %(limit)s) AS m
LEFT JOIN LATERAL stg.messages(
    m.topic, m.epoch, m.kafka_partition, m.kafka_offset, m.kafka_offset + 1
) AS e ON TRUE
"""


def find(settings: Settings, selection: refusals.Selection) -> list[Rejected]:
    """Return the selected messages, by position."""
    query = f"SELECT {_FOUND} {_WITH_MESSAGES} ORDER BY 1, 2, 3, 4"
    with connect(settings) as conn:
        return [
            Rejected(*row) for row in conn.execute(query, refusals.values_of(selection))
        ]


def count(settings: Settings, selection: refusals.Selection) -> dict[str, int]:
    """Return how many messages are selected by reason, whatever the limit."""
    query = (
        f"SELECT m.reason, count(*) {refusals.CHOSEN}"
        " GROUP BY m.reason ORDER BY m.reason"
    )
    with connect(settings) as conn:
        return dict(conn.execute(query, refusals.values_of(selection)).fetchall())


def show(settings: Settings, log: FeedPartition, offset: int) -> Content:
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
    query = (
        f"SELECT {_FOUND}, e.message, e.kafka_key, e.headers, {refusals.IS_GONE}"
        f" {_WITH_MESSAGES}"
    )
    with connect(settings) as conn:
        row = conn.execute(query, refusals.values_of(selection)).fetchone()
    if row is None:
        message = (
            f"There is no refused message at {log} offset {offset}. `palate rejected "
            "list` has the positions; one that was accepted since is there no more."
        )
        raise NotFoundError(message)
    return Content(Rejected(*row[:-4]), *row[-4:])


def still_refused(settings: Settings, ranges: Sequence[Range]) -> dict[str, int]:
    """Return the messages of a replay that are refused or still waiting, by reason."""
    with connect(settings) as conn:
        return dict(
            conn.execute(
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
            ).fetchall()
        )

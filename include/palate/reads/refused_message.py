"""One refused message: why, its bytes, and what was decided of it before."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar

from palate.database import Connection
from palate.errors import NotFoundError
from palate.landing import refusals
from palate.positions import FeedPartition

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
FOUND = f"""
    m.topic, m.epoch, m.kafka_partition, m.kafka_offset, e.broker_dt, m.reason,
    m.detail, m.rejected_dt, m.dismissed_dt, m.dismissed_by, m.dismissed_why,
    EXISTS (SELECT FROM ops.replays AS q WHERE {_AT} AND {_WAITS}) AS is_queued
"""
_ONE = f"""
SELECT {FOUND}, e.message, e.kafka_key, e.headers, {refusals.IS_GONE}
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

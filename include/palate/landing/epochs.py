"""Epochs: which log a broker's partition is, as far as the ledger knows.

A topic that was deleted and created anew begins another epoch. So does a topic on
another cluster, and a partition that lost its tail (ADR 0022). A known topic id keeps
its epoch: after a failback, the old cluster's topic is read on.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from palate.clients import Reader, kafka_reader
from palate.database import Connection
from palate.errors import (
    AccessDeniedError,
    PalateError,
    PositionGapError,
    ServiceUnavailableError,
    TopicMissingError,
)
from palate.positions import FeedPartition

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What the ledger knows of a topic as a broker has it now.

    ``logs`` says which log each partition is. ``first`` is the first offset of each: a
    stage without a watermark in a log begins there. ``former`` are the logs that lost
    their tails, each with the offset below which the broker still has it.

    ``epoch`` is that of the whole topic, ``newest`` the highest one of the topic and
    its partitions.

    With a ``refusal`` (a sentence), nothing of the topic may be read, as it belongs to
    another cluster; ``logs``, ``first`` and ``former`` are empty. ``is_written`` says
    whether the ledger has all of this.
    """

    epoch: int
    newest: int
    logs: dict[int, FeedPartition] = field(default_factory=dict)
    first: dict[FeedPartition, int] = field(default_factory=dict)
    former: dict[FeedPartition, int] = field(default_factory=dict)
    refusal: str | None = None
    is_written: bool = False


@dataclass(frozen=True)
class AcceptedEpoch:
    """An epoch that a person let begin; without a partition, that of a whole topic."""

    topic: str
    epoch: int
    partition: int | None
    cluster_id: str | None
    first_offset: int
    accepted_dt: datetime
    accepted_by: str
    accepted_why: str

    @property
    def name(self) -> str:
        """Return what the epoch is of, and its number."""
        of = "" if self.partition is None else f"[{self.partition}]"
        return f"{self.topic}{of} epoch {self.epoch}"


@dataclass(frozen=True)
class _Epoch:
    number: int
    topic_id: UUID | None
    cluster_id: str | None
    partition: int | None


@dataclass
class Registration:
    """What a broker has of some topics: (begin, end) of each log.

    ``former`` has the same of logs that lost their tails, up to where the broker has
    them. ``newest`` has the highest epoch of each topic that was found, and
    ``problems`` an error for each topic or partition that can't be read.
    """

    states: dict[FeedPartition, tuple[int, int]] = field(default_factory=dict)
    first: dict[FeedPartition, int] = field(default_factory=dict)
    former: dict[FeedPartition, tuple[int, int]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    problems: dict[str, PalateError] = field(default_factory=dict)


def known(conn: Connection, state: kafka_reader.TopicState) -> Known:
    """Return which logs a topic's partitions are, without writing."""
    epochs = _epochs(conn, state.topic)
    if not epochs:
        logs = {number: FeedPartition(state.topic, 0, number) for number in state.end}
        # A topic never seen before can't have lost anything.
        return Known(0, 0, logs, {item: state.begin[n] for n, item in logs.items()})
    base = _base(epochs, state)
    if base is None:
        if refusal := _refusal(epochs, state):
            return Known(epochs[-1].number, epochs[-1].number, refusal=refusal)
        base = epochs[-1].number + 1
    now = next((one for one in epochs if one.number == base), None)
    topic_id = now.topic_id if now else state.topic_id
    is_written = now is not None and (
        (now.topic_id or state.topic_id, now.cluster_id or state.cluster_id)
        == (now.topic_id, now.cluster_id)
    )
    begun = _begun(conn, state.topic)
    newest = max(base, epochs[-1].number)
    found = Known(base, newest, is_written=is_written)
    for number in state.end:
        kept = None
        later = {
            one.number
            for one in epochs
            if (one.partition, one.topic_id) == (number, topic_id) and one.number > base
        }
        for epoch in sorted({base, *later}, reverse=True):
            item = FeedPartition(state.topic, epoch, number)
            found.first[item] = begun.get(item, 0)
            if kept is None:
                found.logs[number] = item
            else:
                found.former[item] = kept
            kept = min(found.first[item], found.first[item] if kept is None else kept)
    return found


def register_topics(
    conn: Connection, reader: Reader, topics: Iterable[str]
) -> Registration:
    """Ask the broker for some topics; enter new epochs.

    A topic that can't be read is in ``problems``, and not in ``states``.
    """
    found = Registration()
    for topic in topics:
        try:
            state = reader.state(topic)
        except (TopicMissingError, AccessDeniedError) as error:
            found.problems[topic] = error
            continue
        for number in state.leaderless:
            message = (
                f"{topic}[{number}] has no leader, so nothing of it can be read. What "
                "was read is kept. See that all brokers run."
            )
            found.problems[f"{topic}[{number}]"] = ServiceUnavailableError(message)
        epochs = known(conn, state)
        found.newest[topic] = epochs.newest
        if epochs.refusal:
            found.problems[topic] = PositionGapError(epochs.refusal)
            continue
        if not epochs.is_written:
            _enter(conn, state, epochs)
        found.first |= epochs.first
        for partition, item in epochs.logs.items():
            found.states[item] = (state.begin[partition], state.end[partition])
        for item, end in epochs.former.items():
            begin = max(state.begin[item.partition], epochs.first[item])
            found.former[item] = (begin, min(end, state.end[item.partition]))
    return found


def begin_epoch(
    conn: Connection,
    state: kafka_reader.TopicState,
    who: str,
    why: str,
    replaced: tuple[FeedPartition, int] | None = None,
) -> int:
    """Begin another epoch of a topic, or of one partition; return its number.

    :param replaced: the log that lost its tail, and where the new one begins
    """
    log_replaced, first = replaced or (None, 0)
    (epoch,) = conn.execute(
        "INSERT INTO ops.topics (topic, epoch, topic_id, cluster_id, kafka_partition,"
        " accepted_by, accepted_why) SELECT %(topic)s, max(epoch) + 1, %(id)s,"
        " %(cluster)s, %(partition)s, %(who)s, %(why)s FROM ops.topics"
        " WHERE topic = %(topic)s RETURNING epoch",
        {
            "topic": state.topic,
            "id": state.topic_id,
            "cluster": state.cluster_id,
            "partition": log_replaced and log_replaced.partition,
            "who": who,
            "why": why,
        },
    ).fetchone() or (0,)
    if log_replaced:
        _enter_first(
            conn, FeedPartition(state.topic, epoch, log_replaced.partition), first
        )
    return int(epoch)


def accepted_epochs(conn: Connection) -> list[AcceptedEpoch]:
    """Return the epochs that a person let begin, the oldest first."""
    rows = conn.execute(
        "SELECT t.topic, t.epoch, t.kafka_partition, t.cluster_id,"
        " coalesce(l.first_offset, 0), t.first_seen_dt, t.accepted_by, t.accepted_why"
        " FROM ops.topics AS t LEFT JOIN ops.logs AS l"
        " USING (topic, epoch, kafka_partition) WHERE t.accepted_by IS NOT NULL"
        " ORDER BY t.first_seen_dt, t.topic, t.epoch"
    )
    return [AcceptedEpoch(*row) for row in rows]


def _enter(conn: Connection, state: kafka_reader.TopicState, found: Known) -> None:
    """Enter a new epoch, or add to a known one what was missing."""
    with conn.transaction():
        entered = conn.execute(
            "INSERT INTO ops.topics (topic, epoch, topic_id, cluster_id)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (state.topic, found.epoch, state.topic_id, state.cluster_id),
        ).rowcount
        if entered:
            for item, first in found.first.items():
                _enter_first(conn, item, first)
        else:
            conn.execute(
                "UPDATE ops.topics SET topic_id = coalesce(topic_id, %(id)s),"
                " cluster_id = coalesce(cluster_id, %(cluster)s)"
                " WHERE topic = %(topic)s AND (epoch >= %(epoch)s"
                " AND topic_id IS NULL OR topic_id = %(id)s AND cluster_id IS NULL)",
                {
                    "topic": state.topic,
                    "id": state.topic_id,
                    "cluster": state.cluster_id,
                    "epoch": found.epoch,
                },
            )
    if entered and found.epoch:
        log.error(
            "Topic %s was deleted and created anew: its id is now %s, and epoch %s"
            " begins at its first offset. What the old topic still had unread is gone"
            " from the broker; the old rows stay.",
            state.topic,
            state.topic_id,
            found.epoch,
        )


def _enter_first(conn: Connection, item: FeedPartition, first: int) -> None:
    if first:
        conn.execute(
            "INSERT INTO ops.logs (topic, epoch, kafka_partition, first_offset)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (item.topic, item.epoch, item.partition, first),
        )


def _base(epochs: list[_Epoch], state: kafka_reader.TopicState) -> int | None:
    """Return the topic's known epoch; None if its id is new."""
    whole = [one for one in epochs if one.partition is None]
    newest = whole[-1]
    if state.topic_id is None or newest.topic_id is None:
        same_cluster = state.cluster_id in (newest.cluster_id, None)
        # One of the two ids is missing: the tail of each log decides.
        return newest.number if same_cluster or newest.cluster_id is None else None
    found = [one.number for one in whole if one.topic_id == state.topic_id]
    return found[-1] if found else None


def _refusal(epochs: list[_Epoch], state: kafka_reader.TopicState) -> str | None:
    """Return why a topic with a new id may not be read; None if it may."""
    clusters = list(dict.fromkeys(one.cluster_id for one in epochs))
    if state.cluster_id is None or state.cluster_id in clusters:
        return None  # deleted and created anew
    before = " and ".join(
        f"cluster {one}" if one else "a cluster whose id was not kept"
        for one in clusters
    )
    where = ", perhaps" if None in clusters else ","
    return (
        f"Topic {state.topic} is another one than was read so far{where} on another "
        f"cluster: its id is {state.topic_id} on cluster {state.cluster_id}, and it "
        f"was read from {before}. Nothing of it is read. If the address is wrong, "
        "correct KAFKA_BOOTSTRAP. If this cluster takes over: `palate positions "
        f"accept-cluster {state.topic} --reason ...`; see docs/operations.md, 'Another "
        "cluster answers'."
    )


def _epochs(conn: Connection, topic: str) -> list[_Epoch]:
    rows = conn.execute(
        "SELECT epoch, topic_id, cluster_id, kafka_partition FROM ops.topics"
        " WHERE topic = %s ORDER BY epoch",
        (topic,),
    )
    return [_Epoch(*row) for row in rows]


def _begun(conn: Connection, topic: str) -> dict[FeedPartition, int]:
    rows = conn.execute(
        "SELECT topic, epoch, kafka_partition, first_offset FROM ops.logs"
        " WHERE topic = %(topic)s AND first_offset > 0"
        " UNION ALL SELECT topic, epoch, kafka_partition, first_offset"
        " FROM ops.watermarks WHERE topic = %(topic)s"
        " AND stage IN (SELECT s.stage FROM ops.stages AS s WHERE s.upstream = '{}')",
        {"topic": topic},
    )
    return {FeedPartition(*log): first for *log, first in rows}

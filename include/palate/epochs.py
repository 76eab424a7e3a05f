"""Epochs of topics: a topic that was deleted and created anew begins another one."""

import logging
from collections.abc import Iterable

from palate.database import Connection
from palate.kafka import Reader, TopicState
from palate.positions import Log

log = logging.getLogger(__name__)


def look(
    conn: Connection, reader: Reader, topics: Iterable[str]
) -> dict[Log, tuple[int, int]]:
    """Return (begin, end) on the broker of each log, and enter new epochs."""
    found = {}
    for topic in topics:
        state = reader.state(topic)
        epoch = _enter_epoch(conn, state)
        for partition, begin in state.begin.items():
            found[Log(topic, epoch, partition)] = (begin, state.end[partition])
    return found


def known_epoch(conn: Connection, state: TopicState) -> int:
    """Return the epoch that a topic is in: one more than known if its id is new."""
    row = conn.execute(
        "SELECT epoch, topic_id FROM ops.topics WHERE topic = %s"
        " ORDER BY epoch DESC LIMIT 1",
        (state.topic,),
    ).fetchone()
    if row is None:
        return 0
    epoch: int = row[0]
    return epoch if row[1] == state.topic_id else epoch + 1


def _enter_epoch(conn: Connection, state: TopicState) -> int:
    epoch = known_epoch(conn, state)
    entered = conn.execute(
        "INSERT INTO ops.topics (topic, epoch, topic_id) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (state.topic, epoch, state.topic_id),
    ).rowcount
    if entered and epoch:
        log.error(
            "Topic %s was deleted and created anew: its id is now %s, and epoch %s"
            " begins at its first offset. What the old topic still had unread is gone"
            " from the broker; the old rows stay.",
            state.topic,
            state.topic_id,
            epoch,
        )
    return epoch

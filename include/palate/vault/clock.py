"""The clock of a source whose changes are captured: a topic whose LSNs ascend.

One that is lower than one before it, and no repetition, tells of another cluster, or of
a restored one. Its LSNs say nothing about what was loaded before, so the vault takes
nothing more of the source until an operator accepts it.
"""

from dataclasses import dataclass
from typing import Any

from palate import incidents
from palate.database import Connection
from palate.engine import StageRun
from palate.errors import SourceHeldError
from palate.incidents import Kind
from palate.positions import FeedPartition, Range, messages
from palate.settings import Settings
from palate.sources import Area, catalog

SUBJECT = "lsn"

# A stretch that comes again is what was sent since the connector kept its offsets.
_LOOKED_BACK = 20_000
# Its messages that are changes, with their LSNs.
BEATS = (
    "SELECT kafka_offset, broker_dt,"
    " coalesce(doc #> '{payload,source,lsn}', doc #> '{source,lsn}')::bigint AS lsn"
    " FROM (SELECT kafka_offset, broker_dt, stg.jsonb_or_null(message) AS doc"
    " FROM {messages} OFFSET 0) AS m WHERE jsonb_typeof("
    "coalesce(doc #> '{payload,source,lsn}', doc #> '{source,lsn}')) = 'number'"
    " AND coalesce(doc #>> '{payload,op}', doc ->> 'op') IN ('c', 'u', 'd')"
)


@dataclass(frozen=True)
class Clock:
    """The greatest LSN so far, and since which one it is held."""

    area: str
    topic: str
    log: FeedPartition
    offset: int
    lsn: int
    held_offset: int | None = None
    held_lsn: int | None = None

    @property
    def is_held(self) -> bool:
        """Return whether its LSNs went back, and nobody has accepted that."""
        return self.held_lsn is not None

    @property
    def problem(self) -> str:
        """Return what is wrong, and what to do."""
        return (
            f"The LSNs of {self.topic} went back from {self.lsn} to {self.held_lsn} "
            f"(offset {self.held_offset}): it is another cluster, or a restored one. "
            "The vault takes nothing more of it. If the airline says so too: "
            f"`palate {self.area} accept-source`, then what follows outranks all "
            f"before. See docs/{self.area}-connector.md."
        )


def topic_of(settings: Settings, area: Area) -> str | None:
    """Return the topic that is the clock of an area's source, if it has one."""
    forms = {source.clock for source in area.sources if source.clock}
    for topic, form in catalog.topics(settings, area).items():
        if form in forms:
            return topic
    return None


def read(conn: Connection, area: Area, topic: str) -> Clock | None:
    """Return how far a clock is; None if nothing of it was loaded."""
    row = conn.execute(
        "SELECT coalesce(held_epoch, epoch), kafka_offset, lsn, held_offset, held_lsn"
        " FROM ops.clocks WHERE topic = %s",
        (topic,),
    ).fetchone()
    if row is None:
        return None
    return Clock(area.name, topic, FeedPartition(topic, row[0], 0), *row[1:])


def refuse_held(attempt: StageRun, settings: Settings, area: Area) -> None:
    """Check that the area's source is not held.

    :raises SourceHeldError: if it is
    """
    topic = topic_of(settings, area)
    found = read(attempt.conn, area, topic) if topic else None
    if found and found.is_held:
        raise SourceHeldError(found.problem)


def check(
    attempt: StageRun, settings: Settings, area: Area, waiting: list[Range]
) -> None:
    """Read the clock's messages in ranges that are to be loaded.

    :raises SourceHeldError: if its LSNs went back; that is recorded
    """
    topic = topic_of(settings, area)
    if topic is None:
        return
    refuse_held(attempt, settings, area)
    own = sorted(
        (item for item in waiting if item.log.topic == topic),
        key=lambda item: (item.log.epoch, item.start),
    )
    for item in own:
        with attempt.transaction():
            _follow(attempt, area, item)
        refuse_held(attempt, settings, area)


def _follow(attempt: StageRun, area: Area, item: Range) -> None:
    """Take the beats of a range in their order, up to one that went back."""
    conn, topic = attempt.conn, item.log.topic
    row = conn.execute(
        "SELECT epoch, kafka_offset, lsn, broker_dt FROM ops.clocks WHERE topic = %s",
        (topic,),
    ).fetchone()
    epoch, offset, lsn, moment = row or (0, -1, -1, None)
    for piece in messages.pieces(conn, [item]):
        for at, broker_dt, beat in messages.select(
            conn, piece, f"{BEATS} ORDER BY kafka_offset"
        ).fetchall():
            if (item.log.epoch, at) <= (epoch, offset):
                continue
            if beat >= lsn:
                epoch, offset, lsn, moment = item.log.epoch, at, beat, broker_dt
            elif not _is_repetition(attempt, item.log, at, beat):
                _enter(attempt, topic, (epoch, offset, lsn, moment))
                _hold(attempt, area, item.log, (at, beat, broker_dt))
                return
    if lsn >= 0:
        _enter(attempt, topic, (epoch, offset, lsn, moment))


def _enter(attempt: StageRun, topic: str, values: tuple[Any, ...]) -> None:
    attempt.conn.execute(
        "INSERT INTO ops.clocks (topic, epoch, kafka_offset, lsn, broker_dt)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (topic) DO UPDATE SET"
        " epoch = excluded.epoch, kafka_offset = excluded.kafka_offset,"
        " lsn = excluded.lsn, broker_dt = excluded.broker_dt",
        (topic, *values),
    )


def _is_repetition(attempt: StageRun, log: FeedPartition, at: int, lsn: int) -> bool:
    """Return whether the same beat has come before, since the source began anew."""
    conn = attempt.conn
    (begin,) = conn.execute(
        "SELECT max(from_offset) FROM ops.generations WHERE topic = %s AND epoch = %s",
        (log.topic, log.epoch),
    ).fetchone() or (None,)
    left = _LOOKED_BACK
    for epoch in range(log.epoch, -1, -1):
        one = FeedPartition(log.topic, epoch, log.partition)
        (end,) = (at,) if epoch == log.epoch else _end(attempt, one)
        low = max(end - left, begin or 0 if epoch == log.epoch else 0)
        for piece in messages.pieces(conn, [Range(one, low, max(end, low))]):
            if messages.select(
                conn,
                piece,
                f"SELECT 1 FROM ({BEATS}) AS b WHERE lsn = %(lsn)s",
                lsn=lsn,
            ).fetchone():
                return True
        left -= end - low
        if begin is not None or left <= 0:
            break
    return False


def _end(attempt: StageRun, log: FeedPartition) -> tuple[int]:
    row = attempt.conn.execute(
        "SELECT coalesce(max(next_offset), 0) FROM ops.watermarks"
        " WHERE (topic, epoch, kafka_partition) = (%s, %s, %s)",
        (log.topic, log.epoch, log.partition),
    ).fetchone()
    return (int(row[0]) if row else 0,)


def _hold(
    attempt: StageRun, area: Area, log: FeedPartition, beat: tuple[int, int, Any]
) -> None:
    conn = attempt.conn
    conn.execute(
        "UPDATE ops.clocks SET held_epoch = %s, held_offset = %s, held_lsn = %s,"
        " held_dt = %s WHERE topic = %s",
        (log.epoch, *beat, log.topic),
    )
    found = read(conn, area, log.topic)
    if found:
        incidents.begin(conn, Kind.SOURCE, SUBJECT, found.problem)

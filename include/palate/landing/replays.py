"""Refused messages: find them, queue them to be judged again, dismiss them (ADR 0010).

A replay only adds positions to a feed. The vault and the marts take that feed like
any other log, under their own locks and watermarks: a replay that dies anywhere is
finished by whatever run comes next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from palate.counted import counted
from palate.database import Connection, connect
from palate.engine import progress
from palate.engine.outcome import Caller, Outcome
from palate.engine.stage import open_run
from palate.errors import NotFoundError
from palate.names import REPLAY_FEED
from palate.positions.ranges import Log, Range
from palate.positions.watermarks import watermarks
from palate.settings import Settings
from palate.vault import stage as vault

STAGE = REPLAY_FEED
_FEED = Log(REPLAY_FEED, 0, 0)


class Time(StrEnum):
    """Which time a selection goes by."""

    BROKER = "broker"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Selection:
    """Which refused messages are meant; what is None or empty leaves none out.

    ``start`` is part of the interval, ``end`` is not; both must be aware. ``offsets``
    are first and last ones. With ``limit`` the oldest positions come first.
    """

    reasons: tuple[str, ...] = ()
    topic: str | None = None
    epoch: int | None = None
    partition: int | None = None
    offsets: tuple[tuple[int, int], ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    time: Time = Time.BROKER
    with_dismissed: bool = False
    limit: int | None = None

    @property
    def is_everything(self) -> bool:
        """Tell whether nothing narrows it."""
        return self == Selection(
            time=self.time, with_dismissed=self.with_dismissed, limit=self.limit
        )


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


# Every value is a parameter; one that is null selects all.
_BY_ITSELF = """
    (%(reasons)s::text[] IS NULL OR m.reason = ANY(%(reasons)s::text[]))
    AND (%(topic)s::text IS NULL OR m.topic = %(topic)s::text)
    AND (%(epoch)s::integer IS NULL OR m.epoch = %(epoch)s::integer)
    AND (%(partition)s::integer IS NULL OR m.kafka_partition = %(partition)s::integer)
    AND (
        %(offsets)s::int8multirange IS NULL
        OR m.kafka_offset BETWEEN %(lowest)s::bigint AND %(highest)s::bigint
        AND m.kafka_offset <@ %(offsets)s::int8multirange
    )
    AND (%(with_dismissed)s OR m.dismissed_dt IS NULL)
"""
_IN_TIME = """(
    (%(start)s::timestamptz IS NULL OR {time} >= %(start)s::timestamptz)
    AND (%(end)s::timestamptz IS NULL OR {time} < %(end)s::timestamptz)
)"""
_CHOSEN = f"""
FROM stg.rejected_messages AS m
WHERE
    {_BY_ITSELF}
    AND CASE
        WHEN %(start)s::timestamptz IS NULL AND %(end)s::timestamptz IS NULL THEN TRUE
        WHEN NOT %(by_broker)s THEN {_IN_TIME.format(time="m.rejected_dt")}
        ELSE (m.topic, m.epoch, m.kafka_partition, m.kafka_offset) IN (
            SELECT s.topic, s.epoch, s.kafka_partition, s.kafka_offset
            FROM (
                SELECT topic, epoch, kafka_partition, array_agg(kafka_offset) AS offsets
                FROM stg.rejected_messages AS m
                WHERE {_BY_ITSELF}
                GROUP BY topic, epoch, kafka_partition
            ) AS r
            CROSS JOIN LATERAL stg.messages_at(
                r.topic, r.epoch, r.kafka_partition, r.offsets
            ) AS s
            WHERE {_IN_TIME.format(time="s.broker_dt")}
        )
    END
"""
_IS_GONE = """
EXISTS (
    SELECT FROM ops.event_partitions AS p
    WHERE (p.topic, p.epoch, p.kafka_partition)
    = (m.topic, m.epoch, m.kafka_partition)
    AND m.kafka_offset >= p.from_offset AND m.kafka_offset < p.to_offset
    AND p.dropped_dt IS NOT NULL
)"""
_POSITION = "topic, epoch, kafka_partition, kafka_offset"
_FOUND = (
    "m.topic, m.epoch, m.kafka_partition, m.kafka_offset, e.broker_dt, m.reason,"
    " m.detail, m.rejected_dt, m.dismissed_dt, m.dismissed_by, m.dismissed_why"
)
_WITH_MESSAGES = f"""
FROM (SELECT m.* {_CHOSEN} ORDER BY {_POSITION} LIMIT %(limit)s) AS m
LEFT JOIN LATERAL stg.messages(
    m.topic, m.epoch, m.kafka_partition, m.kafka_offset, m.kafka_offset + 1
) AS e ON TRUE
"""


def find(settings: Settings, selection: Selection) -> list[Rejected]:
    """Return what was selected, by position."""
    query = f"SELECT {_FOUND} {_WITH_MESSAGES} ORDER BY 1, 2, 3, 4"
    with connect(settings) as conn:
        return [Rejected(*row) for row in conn.execute(query, _values(selection))]


def count(settings: Settings, selection: Selection) -> dict[str, int]:
    """Return how many were selected by reason, whatever their limit."""
    query = f"SELECT m.reason, count(*) {_CHOSEN} GROUP BY m.reason ORDER BY m.reason"
    with connect(settings) as conn:
        return dict(conn.execute(query, _values(selection)).fetchall())


def told_own(number: int) -> str:
    """Return what there is to say of refused messages that Palate published itself."""
    return (
        f"{counted(number, 'of them is', 'of them are')} Palate's own: no error. The "
        "stage vault counts them as own_messages, not as refused, and the alarm for "
        "many refused messages leaves them out."
    )


def show(settings: Settings, log: Log, offset: int) -> Content:
    """Return one refused message.

    :raises NotFoundError: if there is no refused message at this position
    """
    selection = Selection(
        topic=log.topic,
        epoch=log.epoch,
        partition=log.partition,
        offsets=((offset, offset),),
        with_dismissed=True,
    )
    query = (
        f"SELECT {_FOUND}, e.message, e.kafka_key, e.headers, {_IS_GONE}"
        f" {_WITH_MESSAGES}"
    )
    with connect(settings) as conn:
        row = conn.execute(query, _values(selection)).fetchone()
    if row is None:
        message = (
            f"No refused message stands at {log} offset {offset}. `palate rejected "
            "list` has the positions; one that was accepted since is there no more."
        )
        raise NotFoundError(message)
    return Content(Rejected(*row[:-4]), *row[-4:])


def run(settings: Settings, caller: Caller, selection: Selection) -> Outcome:
    """Queue what was selected to be judged again; the stages behind do the rest.

    What is queued and waits already is not queued twice. What retention has dropped
    from STG can't be judged again: the outcome says how many. A repeated task queues
    nothing: what it queued before is in its vault and marts, which are repeated.

    :raises NotFoundError: if a single offset was asked for that isn't among them
    """
    with open_run(settings, STAGE, caller) as attempt:
        if progress.has_committed(attempt):
            attempt.outcome.note = "This run's messages were queued before."
            return attempt.outcome
        _check_there(attempt.conn, selection)
        with attempt.batch([]) as batch:
            conn = attempt.conn
            start = watermarks(conn, STAGE).get(_FEED, 0)
            number = conn.execute(
                f"INSERT INTO ops.replays (replay_offset, {_POSITION}, asked_dt)"
                " SELECT %(next)s + row_number() OVER () - 1, chosen.*, %(load_dt)s"
                f" FROM (SELECT {_POSITION} {_CHOSEN} AND NOT {_IS_GONE} AND NOT EXISTS"
                " (SELECT 1 FROM ops.replays AS waiting"
                " WHERE waiting.replay_offset >= %(judged)s"
                " AND (waiting.topic, waiting.epoch, waiting.kafka_partition,"
                " waiting.kafka_offset)"
                " = (m.topic, m.epoch, m.kafka_partition, m.kafka_offset))"
                f" ORDER BY {_POSITION} LIMIT %(limit)s) AS chosen",
                _values(selection)
                | {
                    "next": start,
                    "load_dt": batch.load_dt,
                    "judged": watermarks(conn, vault.STAGE).get(_FEED, 0),
                },
            ).rowcount
            batch.counts["queued"] = number
            gone = conn.execute(
                f"SELECT count(*) {_CHOSEN} AND {_IS_GONE}", _values(selection)
            ).fetchone()
            if gone and gone[0]:
                attempt.outcome.note = (
                    f"{gone[0]} of those selected can't be judged again: retention has "
                    "dropped them from STG."
                )
            if not number:
                attempt.outcome.note = attempt.outcome.note or (
                    "No refused message matches that does not wait already."
                )
            if number:
                batch.ranges = [Range(_FEED, start, start + number)]
        return attempt.outcome


def dismiss(settings: Settings, selection: Selection, who: str, why: str) -> int:
    """Note that nobody misses what was selected; return how many that were.

    The messages stay where they are; they are only counted apart. Who dismissed a
    message first stays.

    :raises NotFoundError: if a single offset was asked for that isn't among them
    """
    with connect(settings) as conn, conn.transaction():
        _check_there(conn, selection)
        return conn.execute(
            "UPDATE stg.rejected_messages AS r SET dismissed_dt = now(),"
            " dismissed_by = %(who)s, dismissed_why = %(why)s"
            f" FROM (SELECT {_POSITION} {_CHOSEN} ORDER BY {_POSITION}"
            " LIMIT %(limit)s) AS chosen"
            " WHERE r.dismissed_dt IS NULL"
            " AND (r.topic, r.epoch, r.kafka_partition, r.kafka_offset) ="
            " (chosen.topic, chosen.epoch, chosen.kafka_partition,"
            " chosen.kafka_offset)",
            _values(selection) | {"who": who, "why": why},
        ).rowcount


def still_refused(settings: Settings, ranges: Sequence[Range]) -> dict[str, int]:
    """Return by reason what of a replay is refused, or not judged yet."""
    with connect(settings) as conn:
        return dict(
            conn.execute(
                "SELECT m.reason, count(*) FROM ops.replays AS q"
                f" INNER JOIN stg.rejected_messages AS m USING ({_POSITION})"
                " WHERE q.replay_offset >= %s AND q.replay_offset < %s"
                " GROUP BY m.reason ORDER BY m.reason",
                (min(r.start for r in ranges), max(r.end for r in ranges)),
            ).fetchall()
        )


def _check_there(conn: Connection, selection: Selection) -> None:
    """Refuse single offsets at which nothing is selected."""
    single = {low for low, high in selection.offsets if low == high}
    if not single:
        return
    found = conn.execute(
        f"SELECT DISTINCT kafka_offset {_CHOSEN} AND kafka_offset = ANY(%(single)s)",
        _values(selection) | {"single": list(single)},
    ).fetchall()
    missing = sorted(single - {offset for (offset,) in found})
    if missing:
        message = (
            f"No refused message that fits the request stands at offset "
            f"{', '.join(map(str, missing))}: none was refused there, or it was "
            "accepted since, or it is dismissed. `palate rejected list --offset "
            f"{missing[0]} --dismissed` shows what there is."
        )
        raise NotFoundError(message)


def _values(selection: Selection) -> dict[str, Any]:
    offsets = selection.offsets
    return {
        "reasons": list(selection.reasons) or None,
        "topic": selection.topic,
        "epoch": selection.epoch,
        "partition": selection.partition,
        "offsets": "{" + ",".join(f"[{a},{b}]" for a, b in offsets) + "}"
        if offsets
        else None,
        "lowest": min((low for low, _ in offsets), default=None),
        "highest": max((high for _, high in offsets), default=None),
        "start": selection.start,
        "end": selection.end,
        "by_broker": selection.time is Time.BROKER,
        "with_dismissed": selection.with_dismissed,
        "limit": selection.limit,
    }

"""Refused messages: find them, queue them for a replay, dismiss them (ADR 0010).

A replay only adds positions to a feed. The vault and the marts take that feed like any
other log, under their own locks and watermarks: whatever run comes next finishes a
replay that died.
"""

from palate.counted import counted
from palate.database import Connection, connect
from palate.engine import Caller, Outcome, open_run, progress
from palate.errors import NotFoundError
from palate.landing.refusals import CHOSEN, IS_GONE, POSITION, Selection, values_of
from palate.names import REPLAY_FEED
from palate.positions import FeedPartition, Range, watermarks
from palate.settings import Settings

STAGE = REPLAY_FEED
_FEED = FeedPartition(REPLAY_FEED, 0, 0)
# Up to where every stage that reads STG has taken the feed.
_JUDGED = (
    "SELECT coalesce(min(coalesce(w.next_offset, 0)), 0) FROM ops.stages AS s"
    " LEFT JOIN ops.watermarks AS w ON w.stage = s.stage AND w.topic = %(feed)s"
    " WHERE s.reads_staging"
)


def describe_own(number: int) -> str:
    """Return the remark on refused messages that Palate published itself."""
    return (
        f"{counted(number, 'of them is', 'of them are')} Palate's own: no error. The "
        "stage vault counts them as own_messages, not as refused, and the alarm for "
        "many refused messages leaves them out."
    )


def run(settings: Settings, caller: Caller, selection: Selection) -> Outcome:
    """Queue the selected messages for a replay; the later stages do the rest.

    A message that is queued and waiting is not queued twice. Messages that retention
    dropped from STG can't be replayed: the outcome has their number. A repeated task
    queues nothing: what it queued before, its vault and marts load again.

    :raises NotFoundError: if a single offset was requested that isn't among them
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
                f"INSERT INTO ops.replays (replay_offset, {POSITION}, asked_dt)"
                " SELECT %(next)s + row_number() OVER () - 1, chosen.*, %(load_dt)s"
                f" FROM (SELECT {POSITION} {CHOSEN} AND NOT {IS_GONE} AND NOT EXISTS"
                " (SELECT 1 FROM ops.replays AS waiting"
                f" WHERE waiting.replay_offset >= ({_JUDGED})"
                " AND (waiting.topic, waiting.epoch, waiting.kafka_partition,"
                " waiting.kafka_offset)"
                " = (m.topic, m.epoch, m.kafka_partition, m.kafka_offset))"
                f" ORDER BY {POSITION} LIMIT %(limit)s) AS chosen",
                values_of(selection)
                | {
                    "next": start,
                    "feed": REPLAY_FEED,
                    "load_dt": batch.load_dt,
                },
            ).rowcount
            batch.counts["queued"] = number
            gone = conn.execute(
                f"SELECT count(*) {CHOSEN} AND {IS_GONE}", values_of(selection)
            ).fetchone()
            if gone and gone[0]:
                attempt.outcome.note = (
                    f"{gone[0]} of those selected can't be replayed: retention has "
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
    """Mark the selected messages as dismissed; return how many were marked.

    They are kept, and only counted apart. Who dismissed a message first stays.

    :raises NotFoundError: if a single offset was requested that isn't among them
    """
    with connect(settings) as conn, conn.transaction():
        _check_there(conn, selection)
        return conn.execute(
            "UPDATE stg.rejected_messages AS r SET dismissed_dt = now(),"
            " dismissed_by = %(who)s, dismissed_why = %(why)s"
            f" FROM (SELECT {POSITION} {CHOSEN} ORDER BY {POSITION}"
            " LIMIT %(limit)s) AS chosen"
            " WHERE r.dismissed_dt IS NULL"
            " AND (r.topic, r.epoch, r.kafka_partition, r.kafka_offset) ="
            " (chosen.topic, chosen.epoch, chosen.kafka_partition,"
            " chosen.kafka_offset)",
            values_of(selection) | {"who": who, "why": why},
        ).rowcount


def _check_there(conn: Connection, selection: Selection) -> None:
    """Refuse single offsets at which nothing is selected."""
    single = {low for low, high in selection.offsets if low == high}
    if not single:
        return
    found = conn.execute(
        f"SELECT DISTINCT kafka_offset {CHOSEN} AND kafka_offset = ANY(%(single)s)",
        values_of(selection) | {"single": list(single)},
    ).fetchall()
    missing = sorted(single - {offset for (offset,) in found})
    if missing:
        message = (
            f"There is no refused message that fits the request at offset "
            f"{', '.join(map(str, missing))}: none was refused there, or it was "
            "accepted since, or it is dismissed. `palate rejected list --offset "
            f"{missing[0]} --dismissed` shows what there is."
        )
        raise NotFoundError(message)

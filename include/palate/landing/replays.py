"""Refused messages: find them, queue them for a replay, dismiss them (ADR 0010).

A replay only adds positions to a feed. The vault and the marts take that feed like any
other log, under their own locks and watermarks: whatever run comes next finishes a
replay that died.
"""

from dataclasses import replace

from palate.counted import counted
from palate.database import Connection, connect
from palate.engine import Caller, Outcome, open_run, progress
from palate.errors import NotFoundError
from palate.landing.refusals import CHOSEN, IS_GONE, POSITION, Selection, values_of
from palate.names import REPLAY_FEED
from palate.positions import FeedPartition, Range, watermarks
from palate.settings import Settings
from palate.sources import Area, catalog

# How far the vault of an area has judged its replays.
_JUDGED = (
    "SELECT coalesce(max(w.next_offset), 0) FROM ops.watermarks AS w"
    " WHERE w.stage = %(vault)s AND w.topic = %(feed)s"
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

    Each area that is on has a feed of its own. A message that is queued and waiting is
    not queued twice. Messages that retention dropped from STG can't be replayed: the
    outcome has their number. A repeated task queues nothing: what it queued before, its
    vault and marts load again.

    :raises NotFoundError: if a single offset was requested that isn't among them
    """
    outcome = Outcome(REPLAY_FEED)
    left = selection
    for area in catalog.areas(settings):
        outcome.include(_queue(settings, area, caller, left))
        if selection.limit is not None:
            taken = selection.limit - outcome.counts["queued"]
            left = replace(selection, limit=taken)
    if not outcome.batches:
        outcome.note = outcome.note or (
            "No refused message matches that does not wait already."
        )
    return outcome


def _queue(
    settings: Settings, area: Area, caller: Caller, selection: Selection
) -> Outcome:
    """Queue those of the selected messages that one area has read."""
    with open_run(settings, area.replays, caller) as attempt:
        if progress.has_committed(attempt):
            attempt.outcome.note = "This run's messages were queued before."
            return attempt.outcome
        _check_there(attempt.conn, selection)
        feed = FeedPartition(area.replays, 0, 0)
        chosen = (
            f"{CHOSEN} AND m.topic IN"
            " (SELECT w.topic FROM ops.watermarks AS w WHERE w.stage = %(drain)s)"
        )
        values = values_of(selection) | {"drain": area.drain}
        with attempt.batch([]) as batch:
            conn = attempt.conn
            start = watermarks(conn, area.replays).get(feed, 0)
            number = conn.execute(
                f"INSERT INTO ops.replays (feed, replay_offset, {POSITION}, asked_dt)"
                " SELECT %(feed)s, %(next)s + row_number() OVER () - 1, chosen.*,"
                f" %(load_dt)s FROM (SELECT {POSITION} {chosen} AND NOT {IS_GONE}"
                " AND NOT EXISTS (SELECT 1 FROM ops.replays AS waiting"
                " WHERE waiting.feed = %(feed)s"
                f" AND waiting.replay_offset >= ({_JUDGED})"
                " AND (waiting.topic, waiting.epoch, waiting.kafka_partition,"
                " waiting.kafka_offset)"
                " = (m.topic, m.epoch, m.kafka_partition, m.kafka_offset))"
                f" ORDER BY {POSITION} LIMIT %(limit)s) AS chosen",
                values
                | {
                    "next": start,
                    "feed": area.replays,
                    "vault": area.vault,
                    "load_dt": batch.load_dt,
                },
            ).rowcount
            batch.counts["queued"] = number
            gone = conn.execute(
                f"SELECT count(*) {chosen} AND {IS_GONE}", values
            ).fetchone()
            if gone and gone[0]:
                attempt.outcome.note = (
                    f"{gone[0]} of those selected can't be replayed: retention has "
                    "dropped them from STG."
                )
            if number:
                batch.ranges = [Range(feed, start, start + number)]
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

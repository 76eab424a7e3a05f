"""Refused messages: find them, queue them for a replay, dismiss them (ADR 0010).

A replay only adds positions to a feed. The vault and the marts take that feed like any
other log, under their own locks and watermarks: whatever run comes next finishes a
replay that died.
"""

from dataclasses import dataclass, replace
from datetime import datetime

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
            " (SELECT w.topic FROM ops.watermarks AS w WHERE w.stage = ANY(%(stages)s))"
        )
        values = values_of(selection) | {"stages": list(area.upstream)}
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


@dataclass(frozen=True)
class Dismissal:
    """What became of the messages that somebody wanted to dismiss.

    ``earlier`` counts by name those that others, or the same person, had dismissed
    since the time in question.
    """

    number: int
    earlier: dict[str, int]


def dismiss(
    settings: Settings,
    selection: Selection,
    who: str,
    why: str,
    since: datetime | None = None,
) -> Dismissal:
    """Mark the selected messages as dismissed.

    They are kept, and only counted apart. Who dismissed a message first stays.

    :param since: from when on dismissals count as ``earlier`` ones; by default ever
    :raises NotFoundError: if a single offset was requested that isn't among them
    """
    with connect(settings) as conn, conn.transaction():
        _check_there(conn, selection)
        values = values_of(selection) | {"who": who, "why": why, "since": since}
        number = conn.execute(
            "UPDATE stg.rejected_messages AS r SET dismissed_dt = now(),"
            " dismissed_by = %(who)s, dismissed_why = %(why)s"
            # Locked in one order: two people may mean the same messages.
            f" FROM (SELECT {POSITION} {CHOSEN} ORDER BY {POSITION}"
            " LIMIT %(limit)s FOR UPDATE OF m) AS chosen"
            " WHERE r.dismissed_dt IS NULL"
            " AND (r.topic, r.epoch, r.kafka_partition, r.kafka_offset) ="
            " (chosen.topic, chosen.epoch, chosen.kafka_partition,"
            " chosen.kafka_offset)",
            values,
        ).rowcount
        # After the update, which has waited for whoever was doing the same.
        earlier = conn.execute(
            f"SELECT m.dismissed_by, count(*) {CHOSEN}"
            " AND (%(since)s::timestamptz IS NULL OR m.dismissed_dt >= %(since)s)"
            " AND (m.dismissed_by, m.dismissed_dt) <> (%(who)s, now())"
            " GROUP BY m.dismissed_by ORDER BY m.dismissed_by",
            values | {"with_dismissed": True},
        ).fetchall()
        return Dismissal(number, dict(earlier))


def _check_there(conn: Connection, selection: Selection) -> None:
    """Refuse single offsets at which nothing is selected."""
    anywhere = {low for low, high in selection.offsets if low == high}
    somewhere = {
        (log, low)
        for log, offsets in selection.positions
        for low, high in offsets
        if low == high
    }
    if not anywhere and not somewhere:
        return
    single = {*anywhere, *(offset for _, offset in somewhere)}
    found = {
        (FeedPartition(*log), offset)
        for *log, offset in conn.execute(
            f"SELECT {POSITION} {CHOSEN} AND kafka_offset = ANY(%(single)s)",
            values_of(selection) | {"single": list(single)},
        )
    }
    missing = sorted(anywhere - {offset for _, offset in found})
    names = list(map(str, missing))
    option = f"--offset {missing[0]}" if missing else ""
    for log, offset in sorted(somewhere - found):
        names.append(f"{offset} of {log}")
        option = option or (
            f"--topic {log.topic} --partition {log.partition} --offset {offset}"
        )
    if names:
        message = (
            "There is no refused message that fits the request at offset "
            f"{', '.join(names)}: none was refused there, or it was "
            f"accepted since, or it is dismissed. `palate rejected list {option} "
            "--dismissed` shows what there is."
        )
        raise NotFoundError(message)

"""An operator accepts that a source began anew: what follows outranks all before."""

from datetime import datetime
from typing import Any

from palate import incidents
from palate.database import Connection
from palate.engine import Caller, open_run
from palate.errors import NotFoundError
from palate.incidents import Kind
from palate.positions import FeedPartition, Range, messages, watermarks
from palate.reconcile.compared import source_of
from palate.reconcile.looks import generation
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.vault import clock

# Messages of the cluster before: no newer than its last beat; or, where the next beat,
# which went back, is newer than they are, beyond its LSN.
_LAST_OF_BEFORE = (
    "SELECT max(kafka_offset) FROM (SELECT kafka_offset, broker_dt, coalesce("
    "doc #> '{payload,source,lsn}', doc #> '{source,lsn}') AS lsn"
    " FROM (SELECT kafka_offset, broker_dt, stg.jsonb_or_null(message) AS doc"
    " FROM {messages} OFFSET 0) AS d) AS m"
    " WHERE broker_dt <= %(last_dt)s OR broker_dt < %(back_dt)s"
    " AND CASE WHEN jsonb_typeof(lsn) = 'number' THEN lsn::bigint > %(lsn)s END"
)


def accept_source(
    settings: Settings, area: Area, caller: Caller, who: str, why: str
) -> int:
    """Let the vault take a source again whose LSNs went back; return its generation.

    What is loaded keeps its place. Where messages of the cluster before still wait, the
    new generation begins behind them.

    :raises NotFoundError: if the source is not held
    """
    topic = clock.topic_of(settings, area) or ""
    with open_run(settings, area.vault, caller) as attempt:
        conn = attempt.conn
        held = conn.execute(
            "SELECT held_epoch, held_offset, held_lsn, broker_dt, held_dt"
            " FROM ops.clocks"
            " WHERE topic = %s AND held_lsn IS NOT NULL",
            (topic,),
        ).fetchone()
        if held is None:
            message = (
                f"The source of the area {area.name} is not held: its LSNs did not go "
                "back. Nothing was changed."
            )
            raise NotFoundError(message)
        epoch, offset, lsn, *between = held
        number = generation(conn, settings, area) + 1
        begins = {FeedPartition(topic, epoch, 0): offset}
        begins |= {
            item: _begin(conn, item, loaded, end, between, lsn)
            for item, loaded, end in _logs(conn, settings, area)
            if item.topic != topic
        }
        with attempt.batch([], has_ranges=False) as batch:
            for item, at in begins.items():
                conn.execute(
                    "INSERT INTO ops.generations (topic, epoch, kafka_partition,"
                    " from_offset, generation, accepted_by, reason)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    (item.topic, item.epoch, item.partition, at, number, who, why),
                )
            conn.execute(
                "UPDATE ops.clocks SET epoch = held_epoch,"
                " kafka_offset = held_offset - 1, lsn = held_lsn, held_epoch = NULL,"
                " held_offset = NULL, held_lsn = NULL, held_dt = NULL"
                " WHERE topic = %s",
                (topic,),
            )
            incidents.end(conn, Kind.SOURCE, clock.SUBJECT)
            batch.counts["sources_accepted"] = 1
        return number


def _logs(
    conn: Connection, settings: Settings, area: Area
) -> list[tuple[FeedPartition, int, int]]:
    """Return each log's newest epoch: how far it is loaded, and staged."""
    loaded = watermarks(conn, area.vault)
    feed = source_of(area).feed or ""
    staged = watermarks(conn, area.drain) | watermarks(conn, feed)
    staged.setdefault(FeedPartition(feed, 0, 0), 0)
    names = {*catalog.topics(settings, area), feed}
    newest: dict[Any, FeedPartition] = {}
    for item in sorted(staged, key=lambda item: item.epoch):
        if item.topic in names:
            newest[item.topic, item.partition] = item
    return [(item, loaded.get(item, 0), staged[item]) for item in newest.values()]


def _begin(
    conn: Connection,
    log: FeedPartition,
    loaded: int,
    end: int,
    between: list[datetime],
    lsn: int,
) -> int:
    last = loaded - 1
    for piece in messages.pieces(conn, [Range(log, loaded, end)]):
        row = messages.select(
            conn,
            piece,
            _LAST_OF_BEFORE,
            last_dt=between[0],
            back_dt=between[1],
            lsn=lsn,
        ).fetchone()
        if row and row[0] is not None:
            last = max(last, row[0])
    return last + 1

"""Is all well: the overview in one glance, and in one line. No broker is asked."""

from dataclasses import dataclass
from datetime import datetime

from palate.database import Connection
from palate.incidents import open_incidents
from palate.reads import ledger, status, verdict
from palate.reads.flow import AreaFlow, flow
from palate.reads.status import Status
from palate.reads.verdict import State, Tile
from palate.settings import Settings
from palate.sources import catalog

# Queues are counted so far: a change of a rule may enter a million guests.
MOST = 10_000
_BATCHES = 20


@dataclass(frozen=True)
class Rebuild:
    """The rebuild of vault and marts that is under way, in positions of all logs."""

    dag_id: str
    run_id: str
    begun_dt: datetime
    compared_dt: datetime | None
    differing: int | None
    done: int
    total: int


@dataclass(frozen=True)
class Line:
    """The answer in one sentence."""

    state: State
    sentence: str
    at: datetime


@dataclass(frozen=True)
class Overview:
    """The state of everything at one moment.

    ``status`` is what the rest follows from: what ``palate status`` shows, as far as
    PostgreSQL knows it.
    """

    line: Line
    tiles: tuple[Tile, ...]
    areas: tuple[AreaFlow, ...]
    rebuild: Rebuild | None
    batches: list[ledger.Batch]
    status: Status


def overview(conn: Connection, settings: Settings) -> Overview:
    """Return the whole answer."""
    found, tiles, said = _judged(conn, settings)
    return Overview(
        line=said,
        tiles=tiles,
        areas=flow(conn, settings, found),
        rebuild=_rebuild(conn),
        batches=ledger.batches(conn, limit=_BATCHES).batches,
        status=found,
    )


def line(conn: Connection, settings: Settings) -> Line:
    """Return the answer in one sentence, for a place that is no page of the cockpit."""
    return _judged(conn, settings)[2]


def _judged(
    conn: Connection, settings: Settings
) -> tuple[Status, tuple[Tile, ...], Line]:
    found = status.known(conn, settings, MOST)
    topics, incidents = catalog.all_topics(settings), open_incidents(conn)
    tiles = verdict.tiles(found, topics, incidents)
    said = Line(
        state=verdict.worst(tile.state for tile in tiles),
        sentence=verdict.sentence(found, topics, incidents),
        at=found.at,
    )
    return found, tiles, said


def _rebuild(conn: Connection) -> Rebuild | None:
    row = conn.execute(
        "SELECT r.dag_id, r.run_id, r.begun_dt, r.compared_dt, r.differing,"
        " coalesce(sum(own.next_offset - own.first_offset), 0)::bigint,"
        " coalesce(sum(w.next_offset - w.first_offset), 0)::bigint"
        " FROM ops.rebuilds AS r CROSS JOIN ops.stages AS s"
        " LEFT JOIN ops.watermarks AS w ON s.stage = w.stage"
        " LEFT JOIN ops.watermarks AS own ON own.stage = ops.rebuilt_stage(s.stage)"
        " AND (own.topic, own.epoch, own.kafka_partition)"
        " = (w.topic, w.epoch, w.kafka_partition)"
        " WHERE r.finished_dt IS NULL AND s.reads_staging GROUP BY r.rebuild_id"
    ).fetchone()
    return Rebuild(*row) if row else None

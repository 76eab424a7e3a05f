"""Is all well: the overview in one glance, and in one line. No broker is asked."""

from dataclasses import dataclass
from datetime import datetime

from palate.database import Connection
from palate.incidents import open_incidents
from palate.reads import ledger, reports, status, verdict
from palate.reads.flow import AreaFlow, flow
from palate.reads.status import Status
from palate.reads.verdict import State, Tile
from palate.settings import Settings
from palate.sources import catalog

# Queues are counted so far: a change of a rule may enter a million guests.
MOST = 10_000
_BATCHES = 20


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
    rebuild: reports.RebuildSeen | None
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
        batches=ledger.last(conn, _BATCHES),
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


def _rebuild(conn: Connection) -> reports.RebuildSeen | None:
    """Return the rebuild that is under way, if there is one."""
    for last in reports.rebuilds(conn, limit=1).rebuilds:
        if last.outcome is None:
            return reports.rebuild(conn, last.rebuild_id)
    return None

"""Two looks at the source: what both show differs.

One may find a change on its way, or a transaction that began before the look's LSN and
ended after it. The second look begins when the first one has ended.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from palate.database import Connection
from palate.engine import Caller
from palate.reconcile import arrived
from palate.reconcile.compared import Compared, tables_of
from palate.reconcile.standby import ReadCancelledError, look
from palate.settings import Settings
from palate.sources import Area, catalog

log = logging.getLogger(__name__)

_TRIES = 4


@dataclass(frozen=True)
class Look:
    """As of when the source was compared; its differences are in a table."""

    lsn: int
    read_dt: datetime


def compare(
    conn: Connection,
    settings: Settings,
    area: Area,
    caller: Caller,
    at_least: int,
) -> tuple[Look, Look]:
    """Compare all tables; leave what both looks show in ``differences``.

    :param at_least: what the standby is to have replayed
    :return: the first look, and the last
    """
    conn.execute("DROP TABLE IF EXISTS differences, earlier_differences")
    first = _look(conn, settings, area, caller, tables_of(area), at_least)
    found = differing(conn, area)
    if not found:
        return first, first
    conn.execute("ALTER TABLE differences RENAME TO earlier_differences")
    second = _look(conn, settings, area, caller, found, first.lsn)
    _keep_both(conn)
    return first, second


def again(conn: Connection, settings: Settings, area: Area, last: Look) -> None:
    """Compare with what the last look has read, and keep what still differs."""
    found = differing(conn, area)
    conn.execute("DROP TABLE IF EXISTS earlier_differences")
    conn.execute("ALTER TABLE differences RENAME TO earlier_differences")
    _enter(conn, settings, area, found, last)
    _keep_both(conn)


def _keep_both(conn: Connection) -> None:
    """Keep the differences that the look before has shown, too."""
    conn.execute(
        "DELETE FROM differences AS d WHERE NOT EXISTS (SELECT FROM earlier_differences"
        " AS e WHERE (e.table_name, e.row_key) = (d.table_name, d.row_key))"
    )


def differing(conn: Connection, area: Area) -> list[Compared]:
    """Return the tables that have differences."""
    rows = conn.execute("SELECT DISTINCT table_name FROM differences").fetchall()
    names = {name for (name,) in rows}
    return [one for one in tables_of(area) if one.name in names]


def generation(conn: Connection, settings: Settings, area: Area) -> int:
    """Return how often the area's source began anew."""
    (number,) = conn.execute(
        "SELECT coalesce(max(generation), 0) FROM ops.generations"
        " WHERE topic = ANY(%s)",
        (list(catalog.topics(settings, area)),),
    ).fetchone() or (0,)
    return int(number)


def _look(
    conn: Connection,
    settings: Settings,
    area: Area,
    caller: Caller,
    tables: Iterable[Compared],
    at_least: int,
) -> Look:
    for left in reversed(range(_TRIES)):
        try:
            with look(settings, at_least) as source:
                found = Look(source.lsn, source.read_dt)
                for one in tables:
                    one.take(conn, source)
            break
        except ReadCancelledError as error:
            if not left:
                raise
            log.warning("%s Reading them again.", error)
    arrived.wait(settings, area, caller, found.lsn)
    _enter(conn, settings, area, tables, found)
    return found


def _enter(
    conn: Connection,
    settings: Settings,
    area: Area,
    tables: Iterable[Compared],
    found: Look,
) -> None:
    conn.execute(
        "CREATE TEMP TABLE differences (table_name text, row_key jsonb, what text)"
    )
    number = generation(conn, settings, area)
    for one in tables:
        one.compare(conn, found.lsn, number)
    conn.execute("ANALYZE differences")

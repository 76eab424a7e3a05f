"""Tables to remove: their definition was removed, or they never had a row.

``ops.definitions`` has what a table was made from; that row is deleted with the tables
and the watermarks of their stages.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from palate.database import Connection
from palate.engine import locks
from palate.errors import DefinitionError, DefinitionInUseError, StageBusyError
from palate.names import SQL_FOLDER

# How long to wait for a run that is loading the table.
_WAIT = "60s"


@dataclass(frozen=True)
class Made:
    """A table of the vault, or a mart, as it was made."""

    kind: str
    name: str
    area: str
    definition: dict[str, Any]
    totals: list[str]

    @property
    def is_mart(self) -> bool:
        """Return whether it is a mart."""
        return self.kind == "mart"

    @property
    def tables(self) -> list[str]:
        """Return its tables with their schema; a mart has several."""
        if not self.is_mart:
            return [f"dds.{self.name}"]
        if self.definition.get("kind") == "by_key":
            return [f"cdm.{self.name}"]
        looked_up = (self.definition.get("reference") or {}).get("table")
        names = (self.name, f"{self.name}_counted", looked_up, *self.totals)
        return [f"cdm.{name}" for name in names if name]

    @property
    def stages(self) -> list[str]:
        """Return the stages whose watermarks are its progress."""
        if self.is_mart:
            return [f"mart:{self.name}", f"rebuild:{self.name}"]
        return [f"vault:{self.name}"]

    @property
    def path(self) -> str:
        """Return the path of its definition, even if that is gone."""
        place = f"dds/{self.kind}/{self.name}.yaml"
        pattern = f"areas/*/{f'cdm/{self.name}' if self.is_mart else place}"
        there = (path.relative_to(SQL_FOLDER) for path in SQL_FOLDER.glob(pattern))
        return f"sql/{next(there, pattern)}"


def all_made(conn: Connection) -> list[Made]:
    """Return all tables that were made."""
    rows = conn.execute(
        "SELECT d.kind, d.name, d.area, d.definition, ARRAY("
        " SELECT t.table_name FROM ops.totals AS t"
        " WHERE d.kind = 'mart' AND t.mart = d.name ORDER BY t.table_name)"
        " FROM ops.definitions AS d ORDER BY d.kind, d.name"
    )
    return [Made(*row) for row in rows.fetchall()]


def without_definition(conn: Connection, known: Iterable[str]) -> list[Made]:
    """Return the tables that no longer have a definition."""
    names = set(known)
    return [made for made in all_made(conn) if made.name not in names]


def sentence(made: Made) -> str:
    """Return the message about a table without a definition."""
    kind = "a mart" if made.is_mart else made.kind.removesuffix("s")
    return (
        f"{made.tables[0]} has no definition any more ({made.path} is not there): no "
        f"run loads it, and nothing waits for it. If it is to go, `palate drop "
        f"{made.name}` removes it; else put the file back. It was made as {kind}."
    )


def hold(conn: Connection, made: Made) -> None:
    """Lock the table against its loaders until the open transaction ends.

    :raises StageBusyError: if a run holds it for too long
    """
    stages = [*made.stages]
    if not made.is_mart:
        vaults = conn.execute(
            "SELECT stage FROM ops.stages WHERE reads_staging AND area = %s",
            (made.area,),
        )
        stages += [name for (one,) in vaults for name in (f"{one}:reload", one)]
    try:
        conn.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
        for stage in stages:
            conn.execute(
                f"SELECT pg_advisory_xact_lock({locks.lock_key('%(stage)s')})",
                {"stage": stage},
            )
        for table in made.tables:
            conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    except psycopg.errors.LockNotAvailable:
        message = (
            f"{made.name} is being loaded or read, and was not free for {_WAIT}. "
            "Nothing was changed: run the command again."
        )
        raise StageBusyError(message) from None


def is_empty(conn: Connection, made: Made) -> bool:
    """Return whether none of its tables has a row."""
    return not any(count(conn, table, 1) for table in made.tables)


def count(conn: Connection, table: str, most: int | None = None) -> int:
    """Return how many rows a table has, counted up to ``most``."""
    query = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS t").format(
        sql.Identifier(*table.split(".")), sql.Literal(most)
    )
    (number,) = conn.execute(query).fetchone() or (0,)
    return int(number)


def views_on(conn: Connection, made: Made) -> list[str]:
    """Return the views on it, those on other views first."""
    rows = conn.execute(
        "SELECT v.view::regclass::text FROM ops.views_on(%s::regclass[]::oid[]) AS v"
        " ORDER BY v.depth DESC",
        (made.tables,),
    )
    return [view for (view,) in rows.fetchall()]


def remove(conn: Connection, made: Made) -> None:
    """Drop its tables, the watermarks of its stages, and its entry in the registry.

    :raises DefinitionInUseError: if something in the database needs them
    """
    with _in_use(made):
        for table in made.tables:
            conn.execute(f"DROP TABLE {table}")
    conn.execute("DELETE FROM ops.totals WHERE mart = %s", (made.name,))
    conn.execute("DELETE FROM ops.watermarks WHERE stage = ANY(%s)", (made.stages,))
    for copied in ("mart_copies", "mart_changes"):
        conn.execute(f"DELETE FROM ops.{copied} WHERE mart = %s", (made.name,))
    conn.execute(
        "DELETE FROM ops.definitions WHERE (kind, name) = (%s, %s)",
        (made.kind, made.name),
    )


def drop_totals(conn: Connection, made: Made, names: Iterable[str]) -> None:
    """Drop some tables of a mart's totals, and the indexes that were made for them.

    :raises DefinitionInUseError: if something in the database needs them
    """
    with _in_use(made):
        for name in names:
            conn.execute(f"DROP INDEX IF EXISTS cdm.{guest_index(name)}")
            conn.execute(f"DROP TABLE cdm.{name}")


def guest_index(totals: str) -> str:
    """Return the name of the index that a table of totals needs on counted orders."""
    return f"{totals}_of_guest"


def correct(conn: Connection, kind: str, name: str, own_views: Iterable[str]) -> bool:
    """Remove a table whose definition changed, if it has no row; return whether it did.

    It is created and filled anew: there were no rows whose meaning could change.

    :param own_views: the views that are created anew as well
    :raises DefinitionError: if another view reads it
    """
    found = [one for one in all_made(conn) if (one.kind, one.name) == (kind, name)]
    if not found or not is_empty(conn, found[0]):
        return False
    made = found[0]
    hold(conn, made)
    if not is_empty(conn, made):
        return False
    mine = set(own_views)
    views = views_on(conn, made)
    if others := [view for view in views if view not in mine]:
        message = (
            f"{made.path} says something else than {name} was made from. It has no "
            f"row and could be made anew, but {', '.join(others)} reads it: drop that "
            "first, then run `palate migrate` again."
        )
        raise DefinitionError(message)
    for view in views:
        conn.execute(f"DROP VIEW {view}")
    remove(conn, made)
    return True


def needed_by(conn: Connection, made: Made) -> list[str]:
    """Return the tables whose definitions name this one: they need its keys."""
    return [
        one.name
        for one in all_made(conn)
        if not one.is_mart and made.name in (one.definition.get("parent"), *_hubs(one))
    ]


@contextmanager
def _in_use(made: Made) -> Iterator[None]:
    try:
        yield
    except psycopg.errors.DependentObjectsStillExist as error:
        message = (
            f"{made.name} is still needed: {error.diag.message_detail}. Nothing was "
            "changed. Drop that first, then again."
        )
        raise DefinitionInUseError(message) from None


def _hubs(made: Made) -> list[str]:
    return made.definition.get("hub_keys") or []

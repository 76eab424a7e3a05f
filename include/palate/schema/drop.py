"""Drop a mart, a satellite or a link for good.

Only the owner of the warehouse may do that. The definition's file must be removed
first: otherwise the table would be created anew.
"""

from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from palate import tags
from palate.database import Connection, connect
from palate.errors import (
    AccessDeniedError,
    DefinitionError,
    DefinitionInUseError,
    NotFoundError,
)
from palate.marts import trial
from palate.outbox import counters
from palate.positions import retained
from palate.schema import migrate
from palate.settings import Settings
from palate.sql import execute
from palate.tables import removal


@dataclass(frozen=True)
class Plan:
    """What is dropped with a table: rows by table, and the progress of its stages.

    ``lost`` says which messages of its rows STG no longer has.
    """

    name: str
    is_mart: bool
    rows: dict[str, int]
    stages: list[str]
    lost: list[str]

    @property
    def sentences(self) -> list[str]:
        """Return what a person has to know before."""
        tables = ", ".join(f"{table} ({n:,} rows)" for table, n in self.rows.items())
        lines = [
            f"What goes: {tables}; its row in ops.definitions, and the watermarks of "
            f"{' and '.join(self.stages)}."
        ]
        if self.is_mart:
            lines.append(
                f"Its task {self.name} has gone from every DAG with its folder. No "
                "tag rule and nothing that is published reads it. Nothing of the "
                "vault goes: a mart of the same definition counts it all again."
            )
        elif self.lost:
            lines.append(
                "These rows of the vault go for good where STG has dropped their "
                f"messages: before {', '.join(self.lost)}. A table of the same "
                "definition gets the rest again."
            )
        else:
            lines.append(
                "STG still has the messages of all these rows: a table of the same "
                "definition gets them again."
            )
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def plan(settings: Settings, name: str) -> Plan:
    """Return what would be dropped with a table, without changing anything.

    :raises NotFoundError: if there is no such table
    :raises DefinitionInUseError: if its definition is still there, or others need it
    """
    with connect(settings) as conn, conn.transaction(force_rollback=True):
        made = _find(conn, name)
        found = _plan(conn, made)
        _remove(conn, settings, made)
        return found


def drop(settings: Settings, name: str) -> Plan:
    """Remove a table, with all records of it; return what was removed.

    :raises DefinitionInUseError: if its definition is still there, or others need it
    :raises StageBusyError: if it is being loaded or read for too long
    """
    with connect(settings) as conn, conn.transaction():
        made = _find(conn, name)
        found = _plan(conn, made)
        _remove(conn, settings, made)
        return found


def _find(conn: Connection, name: str) -> removal.Made:
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('palate migrate', 0))")
    there = {made.name: made for made in removal.all_made(conn)}
    made = there.get(name)
    if made is None:
        message = (
            f"There is no table {name} that a definition made. There are: "
            f"{', '.join(sorted(there))}."
        )
        raise NotFoundError(message)
    if name in counters.PUBLISHED_MARTS:
        rules = conn.execute("SELECT count(*) FROM cdm.tag_rules").fetchone() or (0,)
        message = (
            f"{name} stays: tags read it ({rules[0]} rules) and what is published "
            "of guests is read from it (sql/areas/food: tags, publish)."
        )
        raise DefinitionInUseError(message)
    if name in migrate.known_names():
        message = (
            f"{made.path} is still there, and the next `palate migrate` would make "
            f"{name} anew. Take it away from what is deployed first, then drop it."
        )
        raise DefinitionInUseError(message)
    if needed := removal.needed_by(conn, made):
        message = f"{name} stays: {', '.join(needed)} need its keys. Drop those first."
        raise DefinitionInUseError(message)
    return made


def _plan(conn: Connection, made: removal.Made) -> Plan:
    lost = []
    if not made.is_mart:
        kept = retained.first_offsets(conn)
        lost = [f"offset {offset} of {log}" for log, offset in sorted(kept.items())]
    rows = {table: removal.count(conn, table) for table in made.tables}
    return Plan(made.name, made.is_mart, rows, made.stages, lost)


def _remove(conn: Connection, settings: Settings, made: removal.Made) -> None:
    """Drop the tables; then check that everything that is left works without them."""
    try:
        removal.hold(conn, made)
        removal.remove(conn, made)
    except psycopg.errors.InsufficientPrivilege as error:
        message = (
            f"{made.name} was not dropped: {error.diag.message_primary}. Only the "
            "owner of the warehouse may: set the owner's DWH_DSN."
        )
        raise AccessDeniedError(message) from None
    try:
        migrate.try_loads(conn)
        trial.try_marts(conn, settings)
        with conn.transaction(force_rollback=True):
            query = tags.comparison(is_behind=False)
            execute(conn, f"EXPLAIN {query}", tags.VALUES)
    except (DefinitionError, psycopg.errors.UndefinedTable) as error:
        message = (
            f"{made.name} stays, since something that is deployed reads it. Take that "
            f"away first: {error}"
        )
        raise DefinitionInUseError(message) from None

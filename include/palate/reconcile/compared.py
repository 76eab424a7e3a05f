"""The tables that are compared: their rows at the source, and those of the vault.

The source's rows are copied into temporary tables of the warehouse, block by block, and
compared there: a process needs no more memory for two million rows than for two.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from palate.database import Connection
from palate.errors import SourceDiffersError
from palate.names import HUB_KEY_NAMESPACE, SQL_FOLDER
from palate.reconcile.standby import Standby
from palate.sources import Area, ChangedTable, Source, load_changed_tables
from palate.sql import execute, render
from palate.vault import load_vault

_SQL = "engine/compared"


@dataclass(frozen=True)
class Compared:
    """A table of the source, and where the vault has it.

    ``view`` has the rows that live, ``satellite`` their versions, ``parent`` the key by
    which it has them; ``emptied`` is the record of when tables were emptied.
    """

    table: ChangedTable
    view: str
    satellite: str
    parent_key: str
    parent: str
    emptied: str

    @property
    def name(self) -> str:
        """Return the table's name."""
        return self.table.name

    def render(self, name: str, **values: Any) -> str:
        """Return a statement about the table."""
        key = {one.name for one in self.table.key}
        return render(
            f"{_SQL}/{name}.sql",
            table=self.table,
            columns=[*self.table.key, *self.table.columns],
            hub_keys=[
                (hub, names)
                for hub, names in self.table.hub_keys
                if key.issuperset(names)
            ],
            view=self.view,
            satellite=self.satellite,
            parent_key=self.parent_key,
            parent=self.parent,
            emptied=self.emptied,
            **values,
        )

    def take(self, conn: Connection, source: Standby) -> None:
        """Copy the source's rows into a temporary table.

        :raises SourceDiffersError: if the table lacks a column there
        """
        there = source.columns(self.table.schema, self.name)
        lacking = set(self.table.names) - there - set(self.table.nullable)
        if lacking:
            message = (
                f"The standby's table {self.table.schema}.{self.name} has no "
                f"{', '.join(sorted(lacking))}: nothing was compared. If the airline "
                "has dropped it, tables.yaml has to follow."
            )
            raise SourceDiffersError(message)
        conn.execute(f"DROP TABLE IF EXISTS source_{self.name}")
        conn.execute(self.render("source_table"))
        rows = source.blocks(self.render("source_rows", there=there))
        with (
            conn.cursor() as cursor,
            cursor.copy(f"COPY source_{self.name} FROM STDIN") as copy,
        ):
            for block in rows:
                copy.write(block)
        conn.execute(f"ANALYZE source_{self.name}")

    def compare(self, conn: Connection, lsn: int, generation: int) -> None:
        """Enter into ``differences`` where the vault differs."""
        execute(
            conn,
            self.render("differing"),
            {
                "lsn": lsn,
                "generation": generation,
                "namespace": HUB_KEY_NAMESPACE,
            },
        )

    def living(self, conn: Connection) -> int:
        """Return how many rows of it live in the vault."""
        (number,) = conn.execute(
            f"SELECT count(*) FROM dds.{self.view}"
        ).fetchone() or (0,)
        return int(number)


@lru_cache(maxsize=4)
def tables_of(area: Area) -> tuple[Compared, ...]:
    """Return the tables of an area that have a place in the vault."""
    vault = load_vault(area.name)
    source = source_of(area)
    changed = load_changed_tables(SQL_FOLDER / source.folder / "tables.yaml")
    by_name = {table.name: table for table in changed}
    found = []
    for item in vault.in_load_order:
        context = vault.context(item)
        if "parent_expression" in context and context["parent_key"]:
            (name,) = item.source
            found.append(
                Compared(
                    by_name[name],
                    f"v_{item.table.removeprefix('s_')}",
                    item.table,
                    context["parent_key"],
                    context["parent_expression"],
                    record_of(area, "emptied"),
                )
            )
    return tuple(found)


def source_of(area: Area) -> Source:
    """Return the source of an area whose changes are captured, and compared."""
    (found,) = [one for one in area.sources if one.clock]
    return found


def record_of(area: Area, what: str) -> str:
    """Return the record of the vault that is made from a relation of the changes."""
    relation = f"{source_of(area).name}_{what}"
    (found,) = [
        item.table
        for item in load_vault(area.name).in_load_order
        if item.source == (relation,)
    ]
    return found

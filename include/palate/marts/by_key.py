"""Marts by key: rows that are a function of their keys (ADR 0029).

``touched.sql`` finds the keys that a batch touches, ``rows.sql`` computes the rows of
keys. A batch computes the rows of its keys from the vault and writes only what differs.
So a refresh, a repeat and a rebuild run the same query, and none adds up what an
earlier one has done.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from palate.database import Connection
from palate.engine import Batch, StageRun, progress
from palate.errors import DefinitionError
from palate.marts import copy_log
from palate.marts.by_key_sql import (
    DOUBLED,
    EXTRA,
    LOGGED,
    MISSING,
    OTHER,
    ByKeySql,
    refresh_statements,
)
from palate.marts.files import declared
from palate.marts.models import WHAT, ByKeyMart
from palate.names import EXAMPLES
from palate.positions import Range, make_ranges, open_ranges, row_chunks
from palate.settings import Settings
from palate.sql import Step, execute, execute_step
from palate.table_set import TableSet
from palate.text import row_as_text

log = logging.getLogger(__name__)

# The temporary tables that are made first and filled then.
_FILLED = ("touched_keys", "computed")

_COUNTED_AS = {MISSING: "inserted", OTHER: "changed", EXTRA: "deleted"}


@dataclass(frozen=True)
class ByKey:
    """How a mart by key is made, kept and compared."""

    mart: ByKeyMart

    def table_statements(self, tables: TableSet) -> list[str]:
        """Return the statements that create its table."""
        mart, table = self.mart, f"{tables.cdm}.{self.mart.name}"
        nullable = set(mart.nullable)
        columns = [
            f"{name} {declared(type)}{'' if name in nullable else ' NOT NULL'}"
            for name, type in (mart.key_types | mart.columns).items()
        ]
        if mart.changed_at:
            # Not of the rows that are computed, which are kept in a table like this.
            columns.append(f"{mart.changed_at} timestamptz")
        key = f"PRIMARY KEY ({', '.join(mart.keys)})"
        return [
            f"CREATE TABLE {table} ({', '.join([*columns, key])})",
            *(f"CREATE INDEX ON {table} ({', '.join(one)})" for one in mart.index),
        ]

    def meaning(self) -> str:
        """Return the query that its rows follow from."""
        return ByKeySql(self.mart).rows(None)

    def refresh_statements(self, tables: TableSet = TableSet.LIVE) -> tuple[Step, ...]:
        """Return the statements of a refresh, in order."""
        return refresh_statements(self.mart.name, tables)

    def refresh(
        self,
        conn: Connection,
        settings: Settings,
        batch: Batch,
        tables: TableSet = TableSet.LIVE,
        *,
        is_shown: bool = True,
    ) -> None:
        """Set right the rows of the keys that an open batch's ranges touch."""
        batch.counts.update(self._refresh(conn, batch, tables))

    def repeat(
        self,
        attempt: StageRun,
        settings: Settings,
        ranges: Iterable[Range],
        catch_up: Callable[[], None],
    ) -> list[dict[str, Any]]:
        """Compute anew the rows of the keys that ranges touch; return some wrong ones.

        Right rows stay as they are. Between two chunks other runs of the stage go
        first. What a killed attempt has done is not repeated.
        """
        if attempt.reload_id is not None:
            ranges = progress.left(attempt, ranges)
        examples: list[dict[str, Any]] = []
        size = settings.palate_chunk_positions
        for chunk in row_chunks.every(attempt.conn, ranges, size, self.mart.rows_table):
            catch_up()
            while not self._repeat(attempt, chunk, examples):
                catch_up()
            attempt.yield_lock(settings)
        return examples

    def complete(self, conn: Connection, settings: Settings) -> None:
        """Do what follows once a new mart has all of the history: nothing."""

    def rebuild(self, conn: Connection, settings: Settings, batch: Batch) -> None:
        """Compute the whole mart anew, in the open batch."""
        for one in ByKeySql(self.mart).of_all():
            number = execute_step(conn, one, {"load_dt": batch.load_dt})
            self.check_after(conn, one)
            if one.name == "rows":
                batch.counts["rows"] = number
        copy_log.compare_anew(conn, [self.mart.name])

    def settle(self, attempt: StageRun) -> None:
        """Do what the end of a run owes: nothing."""

    def recomputed(self) -> str:
        """Return the query for the whole mart as it follows from the vault."""
        return ByKeySql(self.mart).recomputed()

    @property
    def doubled(self) -> str:
        """Return how a comparison marks what is there twice."""
        return DOUBLED

    def doubled_rows(self) -> str:
        """Return the query for the keys that ``should`` has twice."""
        return ByKeySql(self.mart).shared("doubled")

    def left_out(self) -> str:
        """Return the condition that no open position touches the row ``f``."""
        return ByKeySql(self.mart).shared("left_out")

    def gathered(self) -> list[Step]:
        """Return the statements that find what open positions touch."""
        return ByKeySql(self.mart).find_keys()

    def refuse_found(self, rows: Iterable[dict[str, Any]]) -> None:
        """Check the rows of a comparison for a key that is there twice.

        :raises DefinitionError: names the file and the key
        """
        for row in rows:
            if row[WHAT] == DOUBLED:
                raise self._doubled_error(row)

    def check_after(self, conn: Connection, one: Step) -> None:
        """Check what a statement has made, before anything is written.

        :raises DefinitionError: if a key has two rows
        """
        if one.name in _FILLED:
            execute(conn, f"ANALYZE {one.name}")
        if one.name != "computed":
            return
        keys = ", ".join(self.mart.keys)
        cursor = execute(
            conn,
            f"SELECT {keys} FROM computed GROUP BY {keys} HAVING count(*) > 1"
            f" ORDER BY {keys} LIMIT 1",
        )
        cursor.row_factory = dict_row
        for row in cursor.fetchall():
            raise self._doubled_error(row)

    def tried(self) -> list[tuple[Step, ...]]:
        """Return the statements that ``palate migrate`` tries."""
        return [self.refresh_statements()]

    def explained(self) -> list[tuple[str, str]]:
        """Return the queries that it only lets the server plan, with their names."""
        return [("computed", self.recomputed())]

    def blamed(self, statement: str) -> tuple[str, str]:
        """Return the file that a statement comes from, and what helps to correct it."""
        file = {"touched_keys": "touched.sql", "computed": "rows.sql"}.get(
            statement, "mart.yaml"
        )
        return file, f"{{{{ keys }}}} has {', '.join(self.mart.keys)}"

    def _refresh(
        self,
        conn: Connection,
        batch: Batch,
        tables: TableSet,
        examples: list[dict[str, Any]] | None = None,
    ) -> Counter[str]:
        """Set right the rows that ranges touch; count them, and keep some of them."""
        # As in a refresh of counters: few rows of large tables.
        conn.execute("SET LOCAL enable_seqscan = off")
        make_ranges(conn, batch.ranges)
        counts: Counter[str] = Counter()
        for one in self.refresh_statements(tables):
            if one.name == LOGGED and tables is not TableSet.LIVE:
                continue
            number = execute_step(conn, one, {"load_dt": batch.load_dt})
            self.check_after(conn, one)
            if one.name == "touched_keys":
                counts["touched_keys"] = number
                if not number:
                    break
            elif one.name == "computed":
                counts["computed"] = number
            elif one.name == "differing":
                if not number:
                    break
                counts.update(_differing(conn))
                if examples is not None:
                    self._keep_examples(conn, examples)
        return counts

    def _repeat(
        self,
        attempt: StageRun,
        chunk: list[Range],
        examples: list[dict[str, Any]],
    ) -> bool:
        """Compute one chunk's keys anew; return False if the vault was ahead."""
        conn = attempt.conn
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        try:
            with attempt.batch(list(chunk), is_repeat=True) as batch:
                # Else what is only waiting would be taken for what was wrong.
                if open_ranges(conn, self.mart.stage, [self.mart.upstream]):
                    batch.ranges = []
                    return False
                found = self._refresh(conn, batch, TableSet.LIVE, examples)
                batch.counts["compared"] = found["touched_keys"]
                batch.counts["corrected"] = sum(
                    found[name] for name in _COUNTED_AS.values()
                )
        finally:
            conn.isolation_level = None
        return True

    def _keep_examples(self, conn: Connection, examples: list[dict[str, Any]]) -> None:
        cursor = execute(
            conn,
            f"SELECT {WHAT}, {', '.join(self.mart.all_columns)} FROM differing"
            f" ORDER BY {', '.join(self.mart.keys)} LIMIT {EXAMPLES - len(examples)}",
        )
        cursor.row_factory = dict_row
        for row in cursor.fetchall():
            log.warning("%s had a wrong row: %s", self.mart.name, row_as_text(row))
            examples.append(row)

    def _doubled_error(self, row: dict[str, Any]) -> DefinitionError:
        keys = ", ".join(f"{key} {row[key]}" for key in self.mart.keys)
        return DefinitionError(
            f"sql/{self.mart.folder}/rows.sql gives more than one row for {keys}. "
            "Nothing was written. Give one row per key (CONTRIBUTING.md, 'Add a mart')."
        )


def _differing(conn: Connection) -> Counter[str]:
    rows = conn.execute(f"SELECT {WHAT}, count(*) FROM differing GROUP BY {WHAT}")
    return Counter({_COUNTED_AS[what]: number for what, number in rows.fetchall()})

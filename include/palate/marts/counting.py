"""Marts of contributions: counters that move by what orders add (ADR 0005).

``contributions.sql`` has what a set of orders adds. The refresh (take out what the
touched orders had added, put in what they add now), the rebuild and the comparison
follow from it. The cost of a refresh depends on the batch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from palate.database import Connection
from palate.engine import Batch, StageRun
from palate.marts import doubled, kept_totals, recount, refresh
from palate.marts.counted_mart import CountedMart
from palate.marts.counted_tables import table_statements as counted_tables
from palate.marts.mart_sql import MartSql
from palate.outbox import tags_waiting
from palate.positions import Range
from palate.settings import Settings
from palate.sql import Step, execute_step
from palate.table_set import TableSet

# The origins of statements that a person writes.
_FILES = {
    "affected_products": "affected.sql",
    "reference_now": "reference.sql",
    "reference": "reference.sql",
    "old_contributions": "contributions.sql",
    "new_contributions": "contributions.sql",
    "deltas": "contributions.sql",
    "recounted": "contributions.sql",
    "recomputed": "contributions.sql",
}


@dataclass(frozen=True)
class Counting:
    """How a mart of contributions is made, kept and compared."""

    mart: CountedMart

    def table_statements(self, tables: TableSet) -> list[str]:
        """Return the statements that create its tables."""
        return counted_tables(self.mart, tables)

    def meaning(self) -> str:
        """Return the query that its rows follow from."""
        return MartSql(self.mart).meaning()

    def refresh_statements(self, tables: TableSet = TableSet.LIVE) -> tuple[Step, ...]:
        """Return the statements of a refresh, in order."""
        return refresh.refresh_statements(self.mart.name, tables)

    def refresh(
        self,
        conn: Connection,
        settings: Settings,
        batch: Batch,
        tables: TableSet = TableSet.LIVE,
        *,
        is_shown: bool = True,
    ) -> None:
        """Count the orders that an open batch's ranges touch."""
        refresh.refresh(conn, settings, self.mart, batch, tables, is_shown=is_shown)

    def repeat(
        self,
        attempt: StageRun,
        settings: Settings,
        ranges: Iterable[Range],
        catch_up: Callable[[], None],
    ) -> list[dict[str, Any]]:
        """Recount the guests whom orders of ranges name; return some wrong counters."""
        steps = self.refresh_statements()
        return recount.recount(attempt, settings, self.mart, ranges, steps, catch_up)

    def complete(self, conn: Connection, settings: Settings) -> None:
        """Let all guests be published, and their tags be found."""
        refresh.let_all_be_published(conn, settings, self.mart.name)
        if self.mart.tag_kind:
            conn.execute(tags_waiting.ALL_GUESTS)

    def rebuild(self, conn: Connection, settings: Settings, batch: Batch) -> None:
        """Count everything anew, in the open batch."""
        refresh.let_all_be_published(conn, settings, self.mart.name)  # also leavers
        for one in refresh.rebuild_statements(self.mart.name):
            batch.counts[one.name] += execute_step(conn, one)
            self.check_after(conn, one)
        kept_totals.settle(conn, self.mart.name)
        refresh.let_all_be_published(conn, settings, self.mart.name)

    def settle(self, attempt: StageRun) -> None:
        """Sum the totals anew if a run has corrected rows, or made them."""
        if kept_totals.are_doubtful(attempt.conn, self.mart.name):
            with attempt.transaction():
                kept_totals.settle(attempt.conn, self.mart.name)

    def recomputed(self) -> str:
        """Return the query for the whole mart as it follows from the vault."""
        return MartSql(self.mart).recomputed()

    @property
    def doubled(self) -> str:
        """Return how a comparison marks an order that was added to a row twice."""
        return doubled.FOUND

    def doubled_rows(self) -> str:
        """Return the query for such orders in ``should``."""
        columns = self.mart.all_columns
        return MartSql(self.mart).shared(
            "doubled", columns=columns, doubled=doubled.FOUND
        )

    def left_out(self) -> str:
        """Return the condition that no open position may change the row ``f``."""
        return MartSql(self.mart).shared("left_out")

    def gathered(self) -> list[Step]:
        """Return the statements that find what open positions may change."""
        sql = MartSql(self.mart)
        if self.mart.reference:
            return [*refresh.batch_steps(sql), sql.step("recount_products")]
        return [sql.step("batch_orders")]

    def refuse_found(self, rows: Iterable[dict[str, Any]]) -> None:
        """Check the rows of a comparison for an order that was added twice.

        :raises DefinitionError: names the mart, an order, and the keys
        """
        doubled.refuse_found(self.mart, rows)

    def check_after(self, conn: Connection, one: Step) -> None:
        """Check that each order has added to each row once.

        :raises DefinitionError: names the mart, an order, and the keys
        """
        if one.name in doubled.CHECKED:
            doubled.refuse(conn, self.mart, one.name)

    def tried(self) -> list[tuple[Step, ...]]:
        """Return the statements of a refresh, and of a recount."""
        steps = self.refresh_statements()
        return [steps, recount.tried_statements(self.mart, steps)]

    def explained(self) -> list[tuple[str, str]]:
        """Return the queries of a rebuild and of its totals, with their names."""
        found = [
            (one.name, one.statement)
            for one in refresh.rebuild_statements(self.mart.name)
            if one.name in ("recomputed", "reference", "counted_orders")
        ]
        if self.mart.totals:
            found.append(("totals", kept_totals.comparison(self.mart.name)))
        return found

    def blamed(self, statement: str) -> tuple[str, str]:
        """Return the file that a statement comes from, and what helps to correct it."""
        return _FILES.get(statement, ""), (
            f"{{{{ orders }}}} has {', '.join(self.mart.counted)}, and what "
            "`order_columns` adds"
        )

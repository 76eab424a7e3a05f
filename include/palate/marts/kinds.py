"""The kinds of marts: what each does in its own way (ADR 0029)."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Protocol

from palate.database import Connection
from palate.engine import Batch, StageRun
from palate.marts.by_key import ByKey
from palate.marts.counting import Counting
from palate.marts.definitions import find_mart
from palate.marts.models import ByKeyMart
from palate.positions import Range
from palate.settings import Settings
from palate.sql import Step
from palate.table_set import TableSet


class Kind(Protocol):
    """How a mart of some kind is made, kept and compared."""

    def table_statements(self, tables: TableSet) -> list[str]:
        """Return the statements that create its tables."""

    def meaning(self) -> str:
        """Return the query that its rows follow from: part of what the mart means."""

    def refresh_statements(self, tables: TableSet = TableSet.LIVE) -> tuple[Step, ...]:
        """Return the statements of a refresh, in order."""

    def refresh(
        self,
        conn: Connection,
        settings: Settings,
        batch: Batch,
        tables: TableSet = TableSet.LIVE,
        *,
        is_shown: bool = True,
    ) -> None:
        """Take an open batch's ranges into the mart.

        :param is_shown: whether tags and published counters follow
        """

    def repeat(
        self,
        attempt: StageRun,
        settings: Settings,
        ranges: Iterable[Range],
        catch_up: Callable[[], None],
    ) -> list[dict[str, Any]]:
        """Correct what ranges concern; return some of the wrong rows.

        :param catch_up: takes what the mart has not taken yet
        """

    def complete(self, conn: Connection, settings: Settings) -> None:
        """Do what follows once a new mart has all of the history."""

    def rebuild(self, conn: Connection, settings: Settings, batch: Batch) -> None:
        """Make the whole mart anew, in the open batch."""

    def settle(self, attempt: StageRun) -> None:
        """Do what the end of a run owes, whatever an earlier one has left."""

    def recomputed(self) -> str:
        """Return the query for the whole mart as it follows from the vault."""

    @property
    def doubled(self) -> str:
        """Return how a comparison marks what is there twice."""

    def doubled_rows(self) -> str:
        """Return the query for what the recomputed rows, ``should``, have twice."""

    def left_out(self) -> str:
        """Return the condition that no open position may change the row ``f``."""

    def gathered(self) -> list[Step]:
        """Return the statements that find what open positions may change."""

    def refuse_found(self, rows: Iterable[dict[str, Any]]) -> None:
        """Check the rows of a comparison for what is there twice.

        :raises DefinitionError: names the file and the key
        """

    def check_after(self, conn: Connection, one: Step) -> None:
        """Check what a statement has made.

        :raises DefinitionError: names the file and the key
        """

    def tried(self) -> list[tuple[Step, ...]]:
        """Return what ``palate migrate`` tries, a transaction each."""

    def explained(self) -> list[tuple[str, str]]:
        """Return the queries that it only lets the server plan, with their names."""

    def blamed(self, statement: str) -> tuple[str, str]:
        """Return the file that a statement comes from, and what helps to correct it."""


@lru_cache(maxsize=64)
def of(name: str) -> Kind:
    """Return what is special about a mart."""
    mart = find_mart(name)
    return ByKey(mart) if isinstance(mart, ByKeyMart) else Counting(mart)

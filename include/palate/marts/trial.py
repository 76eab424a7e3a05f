"""Trials of marts in ``palate migrate``: what would fail in every run fails early."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg

from palate.database import Connection
from palate.errors import DefinitionError
from palate.marts import compare, doubled, refresh
from palate.marts.definitions import Mart, load_marts
from palate.marts.recount import TRIED_WITH, tried_statements
from palate.positions import make_ranges, open_ranges, row_chunks
from palate.settings import Settings
from palate.sql import Step, execute, execute_step
from palate.table_set import TableSet

# How much of the history a new mart is tried with.
_POSITIONS = 200

# The origins of statements that a person writes.
_FILES = {
    "affected_products": "/affected.sql",
    "reference_now": "/reference.sql",
    "reference": "/reference.sql",
    "old_contributions": "/contributions.sql",
    "deltas": "/contributions.sql",
    "recounted": "/contributions.sql",
    "recomputed": "/contributions.sql",
}


def try_marts(conn: Connection, settings: Settings, new: Collection[str] = ()) -> None:
    """Run the statements of every mart, and roll all of it back.

    :param new: marts that are tried with the beginning of the history; others are tried
        without positions
    :raises DefinitionError: names the file, the statement and the cause
    """
    for mart in load_marts().values():
        # A rebuild's statements are only rendered: their tables come with the rebuild.
        refresh.refresh_statements(mart.name, TableSet.SHADOW)
        steps = refresh.refresh_statements(mart.name)
        recounted = tried_statements(mart, steps)
        for tried, noted in ((steps, "deltas"), (recounted, "recounted")):
            _try(conn, settings, mart, tried, noted, is_new=mart.name in new)
        with conn.transaction(force_rollback=True):
            for step in refresh.rebuild_statements(mart.name):
                if step.name in ("recomputed", "reference", "counted_orders"):
                    with _blamed(mart, step.name):
                        execute(conn, f"EXPLAIN {step.statement}")
            with _blamed(mart, "comparison"):
                query = compare.comparison(mart.name, is_behind=False)
                execute(conn, f"EXPLAIN {query}")


def _try(
    conn: Connection,
    settings: Settings,
    mart: Mart,
    steps: tuple[Step, ...],
    noted: str,
    *,
    is_new: bool,
) -> None:
    with conn.transaction(force_rollback=True):
        ranges = open_ranges(conn, mart.stage, [mart.upstream]) if is_new else []
        ranges = row_chunks.first(conn, ranges, _POSITIONS, mart.rows_table)
        make_ranges(conn, ranges)
        for step in steps:
            with _blamed(mart, step.name):
                execute_step(conn, step, TRIED_WITH)
            if step.makes == noted:
                doubled.refuse(conn, mart, noted)


@contextmanager
def _blamed(mart: Mart, statement: str) -> Iterator[None]:
    try:
        yield
    except (
        psycopg.ProgrammingError,
        psycopg.DataError,
        psycopg.IntegrityError,
        psycopg.NotSupportedError,
    ) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        message = (
            f"sql/{mart.folder}{_FILES.get(statement, '')}: PostgreSQL can't run the "
            f"statement `{statement}`: {reason}. Nothing was made or changed. Correct "
            f"it; {{{{ orders }}}} has {', '.join(mart.counted)}, and what "
            "`order_columns` adds (CONTRIBUTING.md, 'Add a mart')."
        )
        raise DefinitionError(message) from None

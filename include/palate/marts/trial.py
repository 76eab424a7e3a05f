"""Trials of marts in ``palate migrate``: what would fail in every run fails early."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg

from palate.database import Connection
from palate.errors import DefinitionError
from palate.marts import compare, kinds
from palate.marts.definitions import load_marts
from palate.marts.models import Mart
from palate.marts.recount import TRIED_WITH
from palate.positions import make_ranges, open_ranges, row_chunks
from palate.settings import Settings
from palate.sql import Step, execute, execute_step
from palate.table_set import TableSet

# How much of the history a new mart is tried with.
_POSITIONS = 200


def try_marts(conn: Connection, settings: Settings, new: Collection[str] = ()) -> None:
    """Run the statements of every mart, and roll all of it back.

    :param new: marts that are tried with the beginning of the history; others are tried
        without positions
    :raises DefinitionError: names the file, the statement and the cause
    """
    for mart in load_marts().values():
        kind = kinds.of(mart.name)
        # A rebuild's statements are only rendered: their tables come with the rebuild.
        kind.refresh_statements(TableSet.SHADOW)
        for steps in kind.tried():
            _try(conn, settings, mart, steps, is_new=mart.name in new)
        with conn.transaction(force_rollback=True):
            comparison = compare.comparison(mart.name, is_behind=False)
            for name, query in (*kind.explained(), ("comparison", comparison)):
                with _blamed(mart, name):
                    execute(conn, f"EXPLAIN {query}")


def _try(
    conn: Connection,
    settings: Settings,
    mart: Mart,
    steps: tuple[Step, ...],
    *,
    is_new: bool,
) -> None:
    kind = kinds.of(mart.name)
    with conn.transaction(force_rollback=True):
        ranges = open_ranges(conn, mart.stage, [mart.upstream]) if is_new else []
        ranges = row_chunks.first(conn, ranges, _POSITIONS, mart.rows_table)
        make_ranges(conn, ranges)
        for step in steps:
            with _blamed(mart, step.name):
                execute_step(conn, step, TRIED_WITH)
            kind.check_after(conn, step)


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
        file, hint = kinds.of(mart.name).blamed(statement)
        path = f"sql/{mart.folder}/{file}".rstrip("/")
        message = (
            f"{path}: PostgreSQL can't run the statement `{statement}`: {reason}. "
            f"Nothing was made or changed. Correct it; {hint} (CONTRIBUTING.md, 'Add "
            "a mart')."
        )
        raise DefinitionError(message) from None

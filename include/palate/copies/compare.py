"""A copy compared with its mart, each in one snapshot, beside live runs."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from palate.clients import OtherDatabase
from palate.copies import watermark
from palate.copies.copy_sql import CopySql
from palate.database import Connection
from palate.errors import PalateError
from palate.marts import Mart, load_marts
from palate.names import EXAMPLES
from palate.settings import Settings
from palate.sql import count_rows

_SECONDS_BETWEEN_TRIES = 1.0
_NOT_YET = "It is copied anew with the next run of its stage."


@dataclass(frozen=True)
class Compared:
    """How many rows differ, and some of them; or why nothing could be compared."""

    number: int = 0
    examples: tuple[dict[str, Any], ...] = ()
    why_not: str = ""
    may_pass: bool = False


def differences(settings: Settings, conn: Connection, name: str) -> Compared:
    """Compare a copy with its mart.

    What waits for the copy is left out. A batch that is committed there in between
    makes the two moments incomparable: then it is tried again, for at most
    ``PALATE_LOCK_WAIT``.

    :param conn: a session of the warehouse; what is made in it is rolled back
    """
    mart = load_marts()[name]
    deadline = time.monotonic() + settings.palate_lock_wait
    while True:
        try:
            found = _compare(settings, conn, mart)
        except PalateError as error:
            return Compared(why_not=str(error))
        if not found.may_pass or time.monotonic() >= deadline:
            return found
        time.sleep(_SECONDS_BETWEEN_TRIES)


def statement(name: str) -> str:
    """Return the query for the rows in which a mart and its copy differ."""
    return CopySql(load_marts()[name], ()).comparison()


def _compare(settings: Settings, conn: Connection, mart: Mart) -> Compared:
    if mart.copied_to is None:
        raise TypeError(mart.name)
    sql = CopySql(mart, ())
    address = mart.copied_to.address(settings)
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with (
            OtherDatabase(address, mart.copied_to.variable) as other,
            conn.transaction(force_rollback=True),
        ):
            columns = ", ".join(mart.all_columns)
            # The warehouse's moment is first: all that the copy has by then is known.
            conn.execute(
                f"CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT {columns}"
                f" FROM cdm.{mart.name} WITH NO DATA"
            )
            watermark.taken(conn, mart, None)
            with other.transaction(is_snapshot=True):
                token = _token(other, sql)
                since = watermark.taken(conn, mart, token).since
                if since is None:
                    return Compared(why_not=_NOT_YET, may_pass=token is not None)
                _fetch(conn, other, sql)
            conn.execute("ANALYZE copied")
            values = {"since": since}
            number, rows = count_rows(conn, sql.comparison(), values, EXAMPLES)
            return Compared(number, tuple(rows))
    finally:
        conn.isolation_level = None


def _token(other: OtherDatabase, sql: CopySql) -> UUID | None:
    query = f"SELECT to_regclass('{sql.table}'), to_regclass('{sql.schema}.watermarks')"
    if None in (other.execute(query).fetchone() or (None,)):
        return None
    row = other.execute(
        f"SELECT token FROM {sql.schema}.watermarks WHERE mart = %s", (sql.mart.name,)
    ).fetchone()
    return row[0] if row else None


def _fetch(conn: Connection, other: OtherDatabase, sql: CopySql) -> None:
    with conn.cursor() as cursor, cursor.copy(sql.compared_in()) as copy:
        for block in other.read(sql.all_out()):
            copy.write(block)

"""Expected and actual tables, and what differs between them in readable form."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from tests.model.history import History
from tests.model.jsonb import canonical, parse
from tests.model.oracle import warehouse
from tests.model.tables import COLUMNS, REJECTED, TAGS, Row, Tables, in_order

MOST_ROWS_SHOWN = 20

# One fact may stand in several rows there, for reasons of the machinery.
_COMPARED_AS_SETS = "dds.s_"


def expected(history: History) -> Tables:
    """Return what must be in every table and view of the contract.

    ``stg.rejected_messages`` has a frozenset of allowed reasons in place of one.
    """
    return warehouse(history)


def actual(conn: psycopg.Connection[Any]) -> Tables:
    """Return what is in every table and view of the contract.

    Only reads, in the connection's current transaction.
    """
    with conn.cursor(row_factory=tuple_row) as cursor:
        tables = {}
        for table, columns in COLUMNS.items():
            cursor.execute(_query(table, columns))
            tables[table] = in_order(
                tuple(_comparable(cell) for cell in row) for row in cursor
            )
    tables["stg.dictionary_entries"] = in_order(
        (entry_id, version_dt, canonical(parse(entry.encode())))
        for entry_id, version_dt, entry in tables["stg.dictionary_entries"]
    )
    return tables


def assert_equal(expected: Tables, actual: Tables) -> None:
    """Fail with the tables and rows that differ; rows count as often as they stand.

    :raises AssertionError: if a table differs
    """
    parts = [
        part
        for table in expected
        if (part := _difference(table, expected[table], actual.get(table, [])))
    ]
    if parts:
        raise AssertionError("\n".join(["The tables differ.", *parts]))


def _query(table: str, columns: tuple[str, ...]) -> sql.Composed:
    # As text, since psycopg would read the numbers of a jsonb as floats.
    cells = [
        sql.Identifier(column) + sql.SQL("::text" if column == "entry" else "")
        for column in columns
    ]
    as_set = table.startswith(_COMPARED_AS_SETS)
    held = " WHERE until_dt IS NULL" if table == TAGS else ""
    return sql.SQL("SELECT {distinct} {cells} FROM {table}{held}").format(
        distinct=sql.SQL("DISTINCT" if as_set else ""),
        cells=sql.SQL(", ").join(cells),
        table=sql.Identifier(*table.split(".")),
        held=sql.SQL(held),
    )


def _comparable(cell: Any) -> Any:
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        return cell.astimezone(UTC)
    return bytes(cell) if isinstance(cell, memoryview) else cell


def _difference(table: str, expected: list[Row], actual: list[Row]) -> str:
    if table == REJECTED:
        expected = _with_the_reason_named(expected, actual)
    missing = in_order((Counter(expected) - Counter(actual)).elements())
    unexpected = in_order((Counter(actual) - Counter(expected)).elements())
    if not missing and not unexpected:
        return ""
    return "\n".join(
        [
            f"{table} ({', '.join(COLUMNS[table])}): "
            f"{len(missing)} missing (-), {len(unexpected)} unexpected (+)",
            *_shown("-", missing),
            *_shown("+", unexpected),
        ]
    )


def _with_the_reason_named(expected: list[Row], actual: list[Row]) -> list[Row]:
    """Put the reason that was named in the set's place, where the set has it."""
    named = {tuple(position): reason for *position, reason in actual}
    return [
        (*position, named[tuple(position)])
        if named.get(tuple(position)) in reasons
        else (*position, " or ".join(sorted(reasons)))
        for *position, reasons in expected
    ]


def _shown(sign: str, rows: list[Row]) -> list[str]:
    shown = [
        f"  {sign} ({', '.join(_readable(cell) for cell in row)})"
        for row in rows[:MOST_ROWS_SHOWN]
    ]
    if len(rows) > MOST_ROWS_SHOWN:
        shown.append(f"  {sign} ... and {len(rows) - MOST_ROWS_SHOWN} more")
    return shown


def _readable(cell: Any) -> str:
    if cell is None:
        return "NULL"
    if isinstance(cell, str | bytes):
        text = repr(cell)
        return text if len(text) <= 200 else f"{text[:200]}... ({len(cell)} long)"
    return str(cell)

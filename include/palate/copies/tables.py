"""The tables of a copy in the other database: made once, like the mart's own."""

from palate.clients import OtherDatabase
from palate.copies.copy_sql import CopySql
from palate.database import Connection
from palate.errors import WarehouseError
from palate.marts import Mart
from palate.sql import render

# Name, type, whether it is NOT NULL, whether its texts compare by bytes.
Column = tuple[str, str, bool, bool]

_COLUMNS = "engine/copies/columns.sql"


def mart_columns(conn: Connection, mart: Mart) -> tuple[str, ...]:
    """Return the columns of a mart's table, in their order."""
    return tuple(name for name, *_ in _of_mart(conn, mart))


def prepare(conn: Connection, other: OtherDatabase, sql: CopySql) -> bool:
    """Make what is missing in the other database; return whether the table was.

    What is there needs no right to create anything.

    :raises WarehouseError: if the table has other columns than the mart
    """
    wanted = _of_mart(conn, sql.mart)
    with other.transaction():
        found = _there(other, sql.table)
        if not found:
            _make(other, sql, wanted)
        elif [column[:2] for column in found] != [column[:2] for column in wanted]:
            message = (
                f"{sql.table} at {other.name} has other columns than "
                f"cdm.{sql.mart.name}: {_listed(found)}; not {_listed(wanted)}. Drop "
                "that table: the next run makes it anew, with all rows."
            )
            raise WarehouseError(message)
        if not _there(other, f"{sql.schema}.watermarks"):
            other.execute(sql.shared("make_watermarks"))
        other.execute(
            f"INSERT INTO {sql.schema}.watermarks (mart) VALUES (%s)"
            " ON CONFLICT (mart) DO NOTHING",
            (sql.mart.name,),
        )
        if not found:  # whatever was taken before is gone with the table
            other.execute(
                f"UPDATE {sql.schema}.watermarks SET token = NULL WHERE mart = %s",
                (sql.mart.name,),
            )
    return not found


def _of_mart(conn: Connection, mart: Mart) -> list[Column]:
    cursor = conn.execute(render(_COLUMNS), {"table": f"cdm.{mart.name}"})
    return [(*column,) for column in cursor.fetchall()]


def _there(other: OtherDatabase, table: str) -> list[Column]:
    cursor = other.execute(render(_COLUMNS), {"table": table})
    return [(*column,) for column in cursor.fetchall()]


def _make(other: OtherDatabase, sql: CopySql, wanted: list[Column]) -> None:
    schema = other.execute("SELECT to_regnamespace(%s)", (sql.schema,)).fetchone()
    if schema == (None,):
        other.execute(f"CREATE SCHEMA {sql.schema}")
    by_bytes, given = ' COLLATE "C"', " NOT NULL"
    columns = [
        f"{name} {type}{by_bytes * is_bytes}{given * is_given}"
        for name, type, is_given, is_bytes in wanted
    ]
    key = f"PRIMARY KEY ({', '.join(sql.mart.key_types)})"
    other.execute(f"CREATE TABLE {sql.table} ({', '.join([*columns, key])})")
    description = sql.mart.description.strip().replace("'", "''")
    other.execute(f"COMMENT ON TABLE {sql.table} IS '{description}'")


def _listed(columns: list[Column]) -> str:
    return ", ".join(f"{name} {type}" for name, type, *_ in columns)

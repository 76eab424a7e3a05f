"""Two rows of one order and key: a mart that joins too much would count them twice."""

from collections.abc import Iterable
from typing import Any

from psycopg.rows import dict_row

from palate.database import Connection
from palate.errors import DefinitionError
from palate.marts.counted_mart import CountedMart
from palate.sql import execute

# How a comparison of a mart with the vault marks such a row, before the order's id.
FOUND = "counted more than once: order "

# The statements whose temporary tables, of their names, mark it as well.
CHECKED = ("deltas", "recounted", "recomputed")


def refuse(conn: Connection, mart: CountedMart, relation: str) -> None:
    """Check that each order has added to each row of a mart once.

    :param relation: the temporary table that has the contributions
    :raises DefinitionError: names the mart, an order, and the keys
    """
    cursor = execute(
        conn,
        f"SELECT doubled_order, {', '.join(mart.keys)} FROM {relation}"
        " WHERE doubled_order IS NOT NULL ORDER BY doubled_order LIMIT 1",
    )
    cursor.row_factory = dict_row
    for row in cursor.fetchall():
        order = row.pop("doubled_order")
        raise _error(mart, str(order), row)


def refuse_found(mart: CountedMart, rows: Iterable[dict[str, Any]]) -> None:
    """Check the same in the result of a comparison with the vault.

    :raises DefinitionError: names the mart, an order, and the keys
    """
    for row in rows:
        if str(row["what"]).startswith(FOUND):
            raise _error(mart, str(row["what"]).removeprefix(FOUND), row)


def _error(mart: CountedMart, order: str, row: dict[str, Any]) -> DefinitionError:
    keys = ", ".join(f"{key} {row[key]}" for key in mart.keys)
    return DefinitionError(
        f"sql/{mart.folder}/contributions.sql gives more than one row for order "
        f"{order} and {keys}, and it would be counted more than once. Nothing was "
        "written. Give one row per order and key (GROUP BY), and take what belongs to "
        "the order's newest version from {{ orders }} (CONTRIBUTING.md, 'Add a mart'): "
        f"{mart.rows_table} has a row per message."
    )

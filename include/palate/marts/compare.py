"""A mart compared with the vault."""

from functools import lru_cache
from typing import Any

from palate.database import Connection, connect
from palate.marts import doubled
from palate.marts.definitions import load_marts
from palate.marts.mart_sql import MartSql
from palate.marts.refresh import batch_steps
from palate.positions import Range, make_ranges
from palate.settings import Settings
from palate.sql import count_rows, execute_step, render


def differences(
    settings: Settings, name: str, examples: int = 20
) -> tuple[int, list[dict[str, Any]]]:
    """Compare a mart with the vault; return how many rows differ, and some of them.

    What the mart has not counted yet shows as a difference: run the stage first.

    :raises DefinitionError: if an order was added to a row twice
    """
    with connect(settings) as conn, conn.transaction():
        query = comparison(name, is_behind=False)
        number, rows = count_rows(conn, query, examples=examples)
    doubled.refuse_found(load_marts()[name], rows)
    return number, rows


@lru_cache(maxsize=16)
def comparison(name: str, *, is_behind: bool) -> str:
    """Return the query for the rows of a mart that differ from the vault.

    :param is_behind: leave out what the orders that ``gather`` has found may change
    """
    mart = load_marts()[name]
    sql = MartSql(mart)
    return render(
        "checks/marts/equal_the_vault.sql",
        mart=name,
        keys=list(mart.keys),
        columns=mart.columns,
        recomputed=sql.recomputed(),
        doubled=doubled.FOUND,
        left_out=sql.shared("left_out") if is_behind else "",
    )


def gather(
    conn: Connection, settings: Settings, name: str, ranges: list[Range]
) -> None:
    """Find what ranges may change, for a comparison that leaves it out."""
    mart = load_marts()[name]
    make_ranges(conn, ranges)
    sql = MartSql(mart)
    steps = [sql.step("batch_orders")]
    if mart.reference:
        steps = [*batch_steps(sql), sql.step("recount_products")]
    for one in steps:
        execute_step(conn, one)

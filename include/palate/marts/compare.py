"""A mart compared with the vault."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from palate.database import Connection, connect
from palate.marts import kinds
from palate.marts.definitions import find_mart
from palate.positions import Range, make_ranges
from palate.settings import Settings
from palate.sql import count_rows, execute_step, render


def differences(
    settings: Settings, name: str, examples: int = 20
) -> tuple[int, list[dict[str, Any]]]:
    """Compare a mart with the vault; return how many rows differ, and some of them.

    What the mart has not taken yet shows as a difference: run the stage first.

    :raises DefinitionError: if something is there twice
    """
    with connect(settings) as conn, conn.transaction():
        query = comparison(name, is_behind=False)
        number, rows = count_rows(conn, query, examples=examples)
    refuse_found(name, rows)
    return number, rows


@lru_cache(maxsize=64)
def comparison(name: str, *, is_behind: bool) -> str:
    """Return the query for the rows of a mart that differ from the vault.

    :param is_behind: leave out what ``gather`` has found
    """
    mart, kind = find_mart(name), kinds.of(name)
    return render(
        "checks/marts/equal_the_vault.sql",
        mart=name,
        keys=list(mart.keys),
        columns=mart.all_columns,
        recomputed=kind.recomputed(),
        doubled=kind.doubled,
        doubled_rows=kind.doubled_rows(),
        left_out=kind.left_out() if is_behind else "",
    )


def gather(
    conn: Connection, settings: Settings, name: str, ranges: list[Range]
) -> None:
    """Find what ranges may change, for a comparison that leaves it out."""
    make_ranges(conn, ranges)
    kind = kinds.of(name)
    for one in kind.gathered():
        execute_step(conn, one)
        kind.check_after(conn, one)


def refuse_found(name: str, rows: Iterable[dict[str, Any]]) -> None:
    """Check the rows of a comparison for what is there twice.

    :raises DefinitionError: names the file and the key
    """
    kinds.of(name).refuse_found(rows)

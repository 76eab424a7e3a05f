"""A batch's messages, parsed into relations: temporary tables."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from palate.database import Connection
from palate.names import (
    AREAS_FOLDER,
    HUB_KEY_NAMESPACE,
    ORIGIN_HEADER,
    SQL_FOLDER,
)
from palate.sources import load_shapes
from palate.sql import Step, execute, step
from palate.table_set import TableSet


def parse(
    conn: Connection,
    sources: Iterable[str],
    load_dt: datetime,
    tables: TableSet = TableSet.LIVE,
) -> dict[str, int]:
    """Parse the ranges of an open batch; return each relation's number of rows.

    A relation ``orders`` is the temporary table ``batch_orders``.
    """
    values = {
        "load_dt": load_dt,
        "namespace": HUB_KEY_NAMESPACE,
        "origin_header": ORIGIN_HEADER,
    }
    rows = {}
    for source in sources:
        for one in parse_steps(source, tables):
            number = execute(conn, one.statement, values).rowcount
            if one.makes:
                rows[one.makes] = number
            if one.drops_from:
                rows[one.drops_from] -= number
    return rows


@lru_cache(maxsize=8)
def parse_steps(source: str, tables: TableSet = TableSet.LIVE) -> tuple[Step, ...]:
    """Return the statements that parse one source's messages, in order."""
    (folder,) = AREAS_FOLDER.glob(f"*/sources/{source}")
    shape = folder / "shape.yaml"
    shapes = load_shapes(shape) if shape.exists() else []
    return tuple(
        step(str(path.relative_to(SQL_FOLDER)), tables=tables, shapes=shapes)
        for path in sorted((folder / "parse").glob("*.sql"))
    )

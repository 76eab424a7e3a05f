"""A batch's messages, parsed into relations: temporary tables."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from palate.database import Connection
from palate.names import (
    HUB_KEY_NAMESPACE,
    ORIGIN_HEADER,
    SQL_FOLDER,
)
from palate.sources import UNAVAILABLE, Source, load_changed_tables, load_shapes
from palate.sql import Step, execute, step
from palate.table_set import TableSet

# The name by which the messages of all sources with a shape are counted.
DOCUMENTS = "documents"


def parse(
    conn: Connection,
    sources: Iterable[Source],
    load_dt: datetime,
    tables: TableSet = TableSet.LIVE,
) -> dict[str, int]:
    """Parse the ranges of an open batch; return each relation's number of rows.

    A relation ``orders`` is the temporary table ``batch_orders``. ``documents`` are
    the messages of all sources that have a shape.
    """
    values = {
        "load_dt": load_dt,
        "namespace": HUB_KEY_NAMESPACE,
        "origin_header": ORIGIN_HEADER,
    }
    rows: Counter[str] = Counter()
    for source in sources:
        for one in parse_steps(source, tables):
            number = execute(conn, one.statement, values).rowcount
            if one.makes:
                rows[one.name] += number
            if one.drops_from:
                rows[one.drops_from] -= number
    return rows


@lru_cache(maxsize=8)
def parse_steps(source: Source, tables: TableSet = TableSet.LIVE) -> tuple[Step, ...]:
    """Return the statements that parse one source's messages, in order.

    The first file of a source with a shape judges its messages. What is refused is
    stored and taken out before the other files parse the rest. Of a source of changes
    (``tables.yaml``) the engine judges them, and makes a relation for each table.
    """
    folder = SQL_FOLDER / source.folder
    files = [str(path.relative_to(SQL_FOLDER)) for path in folder.glob("parse/*.sql")]
    shape = folder / "shape.yaml"
    shapes = load_shapes(shape) if shape.exists() else []
    steps = [step(path, tables=tables, shapes=shapes) for path in sorted(files)]
    if (folder / "tables.yaml").exists():
        return (*_steps_of_changes(folder / "tables.yaml", source, tables), *steps)
    if shapes:
        names = (DOCUMENTS, "accepted", "rejected", "accepted_now")
        steps[1:1] = [
            step(
                f"engine/parse/{name}.sql",
                name,
                tables,
                shapes=shapes,
                lead=steps[0].makes,
            )
            for name in names
        ]
    return tuple(steps)


def _steps_of_changes(path: Path, source: Source, tables: TableSet) -> tuple[Step, ...]:
    """Return the statements that judge changes, and parse them table by table."""
    changed, lead = load_changed_tables(path), source.name
    files = {
        "changes/own": None,
        "changes/judged": None,
        "parse/documents": DOCUMENTS,
        "parse/accepted": "accepted",
        "changes/rejected": "rejected",
        "parse/accepted_now": "accepted_now",
        "changes/emptied": None,
        "changes/snapshots": None,
        "changes/odd": None,
    }
    return (
        *(
            step(
                f"engine/{file}.sql",
                name,
                tables,
                lead=lead,
                changed=changed,
                own=source.feed or "",
            )
            for file, name in files.items()
        ),
        *(
            step(
                "engine/changes/rows.sql",
                tables=tables,
                lead=lead,
                relation=table.name,
                table=table,
                unavailable=UNAVAILABLE,
            )
            for table in changed
            if table.hub_keys
        ),
    )


def documents_of(sources: Iterable[Source]) -> list[str]:
    """Return the temporary tables of judged messages, one for each source's."""
    return [
        f"batch_{one.makes}"
        for source in sources
        for one in parse_steps(source)
        if one.name == DOCUMENTS
    ]

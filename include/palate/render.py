"""SQL files and their templates: names are Jinja, values are parameters."""

import re
from functools import lru_cache
from typing import Any

import jinja2
import psycopg

from palate import names
from palate.database import Connection
from palate.names import SQL_FOLDER

_MADE = re.compile(r"^CREATE TEMP TABLE (\w+)", re.MULTILINE)
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(SQL_FOLDER),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # this is SQL, made from definitions only
    keep_trailing_newline=False,
)
_ENVIRONMENT.globals |= {
    "origin_header": names.ORIGIN_HEADER,
    "dictionary_feed": names.DICTIONARY_FEED,
    # Whether a row has a position of the range r of batch_ranges.
    "in_range": lambda alias: (
        f"{alias}.topic = r.topic\n"
        f"AND {alias}.epoch = r.epoch\n"
        f"AND {alias}.kafka_partition = r.kafka_partition\n"
        f"AND {alias}.kafka_offset >= r.from_offset\n"
        f"AND {alias}.kafka_offset < r.to_offset"
    ),
    "newest_first": lambda alias: ", ".join(
        f"{alias}.{column} DESC" + (" NULLS LAST" if column == "sent_dttm" else "")
        for column in names.VERSION_RANK
    ),
}


@lru_cache(maxsize=512)
def _template(path: str) -> jinja2.Template:
    return _ENVIRONMENT.get_template(path)


def compile_all() -> None:
    """Compile every file, for the processes that will be forked from this one.

    One that is changed afterwards is compiled again where it is needed.
    """
    for name in _ENVIRONMENT.list_templates(extensions=["sql"]):
        _ENVIRONMENT.get_template(name)


def render(path: str, **values: Any) -> str:
    """Return the SQL of a file below ``sql/``.

    :raises jinja2.UndefinedError: if a name that the file needs is not given
    """
    return _template(path).render(**values)


def execute(
    conn: Connection, statement: str, values: dict[str, Any] | None = None
) -> psycopg.ClientCursor[Any]:
    """Run one rendered statement with its values.

    The values are quoted by the client, since ``CREATE TABLE AS`` takes no
    parameters from the server's protocol.
    """
    cursor = psycopg.ClientCursor(conn)
    cursor.execute(statement, values or {})
    return cursor


def count_rows(
    conn: Connection,
    query: str,
    values: dict[str, Any] | None = None,
    examples: int = 20,
) -> tuple[int, list[dict[str, Any]]]:
    """Return how many rows a query finds, and the first of them."""
    cursor = execute(
        conn,
        f"SELECT count(*) OVER () AS number, found.* FROM (\n{query}\n) AS found"
        " LIMIT %(examples)s",
        {"examples": examples} | (values or {}),
    )
    names = [column.name for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    numbers = [row.pop("number") for row in rows]
    return (numbers[0] if numbers else 0), rows


def execute_step(
    conn: Connection,
    statement: str,
    values: dict[str, Any] | None = None,
    *,
    analyze: bool,
) -> tuple[str | None, int]:
    """Run one statement of a batch; return the temporary table it made, and its rows.

    ``analyze`` where the table will be joined with large ones: without statistics a
    few rows are joined with a large table by reading all of it.
    """
    number = execute(conn, statement, values).rowcount
    made = _MADE.search(statement)
    if made and analyze:
        execute(conn, f"ANALYZE {made[1]}")
    return (made[1] if made else None), number

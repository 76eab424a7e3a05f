"""SQL files and their templates: names are Jinja, values are parameters."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2

from palate import names
from palate.database import ClientCursor, Connection
from palate.errors import DefinitionError
from palate.names import SQL_FOLDER
from palate.table_set import SCHEMAS, TableSet

# The head of a file: which temporary table its statement makes or reduces.
_HEAD = re.compile(r"^\{#- (makes|keeps|drops from): ([\w{}]+) #\}$", re.MULTILINE)
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(SQL_FOLDER),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # this is SQL, made from definitions only
    keep_trailing_newline=False,
)
_ENVIRONMENT.globals |= {
    "origin_header": names.ORIGIN_HEADER,
    "dictionary_feed": names.DICTIONARY_FEED,
    # Whether a row's position is in the range r of batch_ranges.
    "in_range": lambda alias: (
        f"{alias}.topic = r.topic\n"
        f"AND {alias}.epoch = r.epoch\n"
        f"AND {alias}.kafka_partition = r.kafka_partition\n"
        f"AND {alias}.kafka_offset >= r.from_offset\n"
        f"AND {alias}.kafka_offset < r.to_offset"
    ),
    # Whether a row's position is in the piece that a check reads.
    "in_piece": lambda alias, column="kafka_offset": (
        f"{alias}.topic = %(topic)s\n"
        f"AND {alias}.epoch = %(epoch)s\n"
        f"AND {alias}.kafka_partition = %(partition)s\n"
        f"AND {alias}.{column} >= %(from_offset)s\n"
        f"AND {alias}.{column} < %(to_offset)s"
    ),
}


@dataclass(frozen=True)
class Step:
    """One statement of a batch, with the head of its file.

    ``makes`` is the relation that it makes: a temporary table, which ends with the
    transaction unless it ``is_kept``. ``drops_from`` is the one that loses rows.
    """

    name: str
    statement: str
    makes: str | None = None
    drops_from: str | None = None
    is_kept: bool = False


@lru_cache(maxsize=512)
def _template(path: str) -> jinja2.Template:
    return _ENVIRONMENT.get_template(path)


def compile_all() -> None:
    """Compile every file, for the processes that will be forked from this one.

    A file that changes later is compiled again where it is needed.
    """
    for name in _ENVIRONMENT.list_templates(extensions=["sql"]):
        _ENVIRONMENT.get_template(name)


def render(path: str, tables: TableSet = TableSet.LIVE, **values: Any) -> str:
    """Return the SQL of a file below ``sql/``.

    :param tables: the tables of ``{{ dds }}``, ``{{ cdm }}`` and ``{{ refused }}``
    :raises jinja2.UndefinedError: if a name that the file needs is not given
    :raises DefinitionError: if a rebuild's file names live tables
    """
    if tables is not TableSet.LIVE:
        _refuse_live_names(path)
    return _template(path).render(tables.names, **values)


def live_names(path: str) -> list[tuple[int, str]]:
    """Return the lines in which a file names live tables of vault or marts."""
    schemas = tuple(f"{schema}." for schema in SCHEMAS)
    text = (SQL_FOLDER / path).read_text(encoding="utf-8")
    found = []
    for line, kind, words in _ENVIRONMENT.lex(text):
        if kind != "data":  # the rest is Jinja
            continue
        for number, one in enumerate(words.split("\n"), start=line):
            code = one.partition("--")[0].replace("(", " ").replace(",", " ")
            found += [(number, w) for w in code.split() if w.startswith(schemas)]
    return found


@lru_cache(maxsize=256)
def _refuse_live_names(path: str) -> None:
    for line, word in live_names(path):
        schema, _, table = word.partition(".")
        message = (
            f"sql/{path}:{line}: {word} is always the live table, and a rebuild runs "
            f"this file for new ones as well. Write {{{{ {schema} }}}}.{table} "
            "(CONTRIBUTING.md, 'Add a mart')."
        )
        raise DefinitionError(message)


def execute(
    conn: Connection, statement: str, values: dict[str, Any] | None = None
) -> ClientCursor:
    """Run one rendered statement with its values.

    The values are quoted by the client, since ``CREATE TABLE AS`` takes no
    parameters from the server's protocol.
    """
    cursor = ClientCursor(conn)
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
    found = cursor.fetchall()
    rows = [dict(zip(names[1:], row[1:], strict=True)) for row in found]
    return (found[0][0] if found else 0), rows


def step(
    path: str,
    name: str | None = None,
    tables: TableSet = TableSet.LIVE,
    **values: Any,
) -> Step:
    """Return the statement of a file below ``sql/``, with its head.

    A name in the head may have one of ``values`` in it, in braces.

    :param name: the name that its rows are counted by; default: the table it makes
    """
    head = {key: name.format(**values) for key, name in _head(path).items()}
    made = head.get("makes") or head.get("keeps")
    return Step(
        name or made or path,
        render(path, tables, **values),
        made,
        head.get("drops from"),
        is_kept="keeps" in head,
    )


@lru_cache(maxsize=128)
def _head(path: str) -> dict[str, str]:
    return dict(_HEAD.findall((SQL_FOLDER / path).read_text(encoding="utf-8")))


def execute_step(
    conn: Connection, one: Step, values: dict[str, Any] | None = None
) -> int:
    """Run one step of a batch; return its number of rows.

    Analyzes the temporary table that it makes: without statistics, joining its few rows
    with a large table would read all of that.
    """
    number = execute(conn, one.statement, values).rowcount
    if one.makes:
        execute(conn, f"ANALYZE {one.makes}")
    return number

"""Create and update the schemas: migrations, then the tables of the definitions."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from palate.database import Connection, connect
from palate.engine import locks
from palate.errors import DefinitionError
from palate.marts import load_marts, trial
from palate.marts import tables as mart_tables
from palate.names import AREAS_FOLDER, SQL_FOLDER
from palate.positions import make_ranges
from palate.schema import roles
from palate.schema.meanings import all_meanings
from palate.schema.stages import enter_stages
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.sql import execute, render
from palate.table_set import TableSet
from palate.tables import registry, removal
from palate.vault import load, load_vault, meaning, parse

log = logging.getLogger(__name__)


def migrate(settings: Settings) -> list[str]:
    """Bring the warehouse to what the code expects; return what was created.

    Running it again changes nothing. Processes that run it at once wait for each other.

    :raises DefinitionError: if a file of any area is wrong, if a definition would
        change what its table means, or asks for what the parse does not give, or if a
        mart can't be counted: then no table is created or changed
    """
    _read_all_files()
    with connect(settings, is_owners=True) as conn:
        _wait_for_others(conn)
        conn.execute("CREATE SCHEMA IF NOT EXISTS ops")
        with locks.kept_awake([conn]):  # others wait for this session's lock
            # Its libraries would take a quarter of the start of every command.
            from palate.schema import migrations

            migrations.run(settings)
        with conn.transaction():
            tables = _make_vault(conn)
            new = mart_tables.make_tables(conn)
            enter_stages(conn)
            try_loads(conn)
            for statement in (*message_views(), *view_statements()):
                conn.execute(statement)
            roles.grant(conn)
            trial.try_marts(conn, settings, new)
        indexes = _make_indexes(conn)
        for gone in removal.without_definition(conn, known_names()):
            log.warning("%s", removal.sentence(gone))
    return [*tables, *new, *indexes]


def _read_all_files() -> None:
    """Refuse a wrong file of any area, whether it is on or off."""
    for name in catalog.area_names():
        catalog.load_area(name)
    load_vault()
    load_marts()
    # Its libraries would take a tenth of the start of every command.
    from palate.files import datasets

    datasets.check()


def known_names() -> set[str]:
    """Return the names of all definitions."""
    return {meant.name for meant in all_meanings()}


def _wait_for_others(conn: Connection) -> None:
    # Polled: a session that waits in a statement has a snapshot, for which a concurrent
    # index build would wait.
    query = "SELECT pg_try_advisory_lock(hashtextextended('palate migrate', 0))"
    while not (conn.execute(query).fetchone() or (False,))[0]:
        time.sleep(0.2)


def _make_vault(conn: Connection) -> list[str]:
    made = []
    definitions = load_vault()
    for item, meant in zip(definitions.in_load_order, meaning.of_tables(), strict=True):
        context = definitions.context(item)
        if registry.register(conn, meant, view_names()):
            made.append(item.table)
            with _blamed(item.path):
                for statement in table_statements(context):
                    conn.execute(statement)
        conn.execute(comment(context))
    return made


def _make_indexes(conn: Connection) -> list[str]:
    """Create the indexes that a definition has got since; loads go on meanwhile."""
    definitions = load_vault()
    made = []
    for item in definitions.in_load_order:
        for columns in definitions.context(item)["indexes"]:
            with _blamed(item.path):
                made += _make_index(conn, "dds", item.table, columns)
    for mart in load_marts().values():
        for columns in mart.indexes:
            made += _make_index(conn, "cdm", mart.name, columns)
    return made


def _make_index(
    conn: Connection, schema: str, table: str, columns: Sequence[str]
) -> list[str]:
    listed = ", ".join(columns)
    query = (
        "SELECT i.indexrelid::regclass::text, i.indisvalid FROM pg_index AS i"
        " WHERE i.indrelid = %s::regclass AND i.indpred IS NULL AND"
        " (SELECT string_agg(pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY"
        " k) FROM generate_series(1, i.indnkeyatts) AS k) = %s"
    )
    found = conn.execute(query, (f"{schema}.{table}", listed)).fetchall()
    if any(is_valid for _, is_valid in found):
        return []
    for name, _ in found:  # left by a killed attempt
        conn.execute(f"DROP INDEX CONCURRENTLY {name}")
    conn.execute(f"CREATE INDEX CONCURRENTLY ON {schema}.{table} ({listed})")
    return [f"an index on {table} ({listed})"]


def comment(context: dict[str, Any], tables: TableSet = TableSet.LIVE) -> str:
    """Return the statement that comments on the rows of one table of the vault."""
    description = context["description"].replace("'", "''")
    return f"COMMENT ON TABLE {tables.dds}.{context['table']} IS '{description}'"


def try_loads(conn: Connection) -> None:
    """Load no position at all, so that a definition's unknown columns fail here."""
    for name in catalog.area_names():
        with conn.transaction(force_rollback=True):
            _try_load(conn, catalog.load_area(name))


def _try_load(conn: Connection, area: Area) -> None:
    load_dt = datetime.now(UTC)
    make_ranges(conn, [])
    relations = parse.parse(conn, area.sources, load_dt).keys()
    load.make_known(conn, area.name, relations, is_careful=True)
    vault = load_vault(area.name)
    for item in vault.in_load_order:
        # Of a hub that another area defines, this area's file names the source.
        path = item.model_copy(update={"area": area.name}).path
        unknown = set(item.source) - relations
        if unknown:
            message = (
                f"{path}: source names {', '.join(sorted(unknown))}, but "
                f"the parse makes {', '.join(sorted(relations))}. Correct it."
            )
            raise DefinitionError(message)
        with _blamed(path):
            execute(conn, load.render_load(vault, item), {"load_dt": load_dt})


@contextmanager
def _blamed(path: str) -> Iterator[None]:
    try:
        yield
    except psycopg.ProgrammingError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        message = (
            f"{path}: PostgreSQL can't use it: {reason}. Correct the type, or "
            "name a column that the parse of its source makes."
        )
        raise DefinitionError(message) from None


def table_statements(
    context: dict[str, Any], tables: TableSet = TableSet.LIVE
) -> list[str]:
    """Return the statements that create one table of the vault."""
    table = f"{tables.dds}.{context['table']}"
    statements = [render("engine/vault/table.sql", tables, **context)]
    statements += [
        f"CREATE INDEX ON {table} ({', '.join(columns)})"
        for columns in context["indexes"]
    ]
    statements += [
        f"CREATE UNIQUE INDEX ON {table} ({', '.join(columns)})"
        for columns in context["unique"]
    ]
    if context["identity"] not in ([], context["primary_key"]):
        columns = ", ".join(context["identity"])
        statements.append(
            f"CREATE UNIQUE INDEX ON {table} ({columns}) NULLS NOT DISTINCT"
        )
    return statements


def view_names() -> list[str]:
    """Return the vault's views: a file is named by its number and the view."""
    return [f"dds.{path.stem.partition('_')[2]}" for path in _views()]


def view_statements(tables: TableSet = TableSet.LIVE) -> list[str]:
    """Return the statements that create the vault's views, in order."""
    return [render(str(path.relative_to(SQL_FOLDER)), tables) for path in _views()]


def message_views() -> list[str]:
    """Return the statements that create views of one area's messages in STG."""
    return [
        render(str(path.relative_to(SQL_FOLDER)))
        for path in sorted(AREAS_FOLDER.glob("*/stg/*.sql"))
    ]


def _views() -> list[Path]:
    return sorted(AREAS_FOLDER.glob("*/dds/views/*.sql"))

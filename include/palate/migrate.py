"""Make and update the schemas: migrations, then the tables of the definitions."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from palate import marts, roles, vault
from palate.batch_ranges import make_ranges
from palate.database import Connection, connect
from palate.definitions import Definition, load_vault, path_of
from palate.errors import DefinitionError
from palate.names import SQL_FOLDER
from palate.render import execute, render
from palate.settings import Settings

log = logging.getLogger(__name__)


def migrate(settings: Settings) -> list[str]:
    """Bring the warehouse to what the code expects; return what was made.

    Running it again changes nothing. Processes that run it at once wait for each
    other.

    :raises DefinitionError: if a definition would change what its table means, or
        asks for what the parse does not give
    """
    with connect(settings) as conn:
        conn.execute("SELECT pg_advisory_lock(hashtextextended('palate migrate', 0))")
        conn.execute("CREATE SCHEMA IF NOT EXISTS ops")
        _run_migrations(settings)
        with conn.transaction():
            made = _make_vault(conn) + marts.make_tables(conn)
            _try_loads(conn, settings)
            _make_views(conn)
            roles.grant(conn)
    return made


def _run_migrations(settings: Settings) -> None:
    # SQLAlchemy only lends Alembic a connection; it is psycopg's own.
    dsn = settings.dwh_dsn.get_secret_value()
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(dsn),
        poolclass=NullPool,
    )
    config = Config()
    config.set_main_option("script_location", str(SQL_FOLDER / "ops"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _make_vault(conn: Connection) -> list[str]:
    made = []
    definitions = load_vault()
    for item in definitions.in_load_order:
        context = definitions.context(item)
        if register(conn, item, context["typed_columns"]):
            made.append(item.table)
            with _blamed(item):
                for statement in table_statements(context):
                    conn.execute(statement)
    return made


def _try_loads(conn: Connection, settings: Settings) -> None:
    """Load no position at all: what a definition asks for in vain shows here."""
    with conn.transaction(force_rollback=True):
        load_dt = datetime.now(UTC)
        make_ranges(conn, settings, [])
        relations = vault.parse(conn, _sources(), load_dt).keys()
        vault.make_known(conn, relations, is_careful=True)
        for item in load_vault().in_load_order:
            unknown = set(item.source) - relations
            if unknown:
                message = (
                    f"{path_of(item)}: source names {', '.join(sorted(unknown))}, but "
                    f"the parse makes {', '.join(sorted(relations))}. Correct it."
                )
                raise DefinitionError(message)
            with _blamed(item):
                execute(conn, vault.render_load(item), {"load_dt": load_dt})


def _sources() -> list[str]:
    return sorted(path.parent.name for path in (SQL_FOLDER / "stg").glob("*/parse"))


@contextmanager
def _blamed(item: Definition) -> Iterator[None]:
    try:
        yield
    except psycopg.ProgrammingError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        message = (
            f"{path_of(item)}: PostgreSQL can't use it: {reason}. Correct the type, or "
            "name a column that the parse of its source makes."
        )
        raise DefinitionError(message) from None


def table_statements(context: dict[str, Any]) -> list[str]:
    """Return the statements that make one table of the vault."""
    table = f"{context['schema']}.{context['table']}"
    description = context["description"].replace("'", "''")
    statements = [
        render("dds/_templates/table.sql", **context),
        f"COMMENT ON TABLE {table} IS '{description}'",
    ]
    index = context["index"]
    if index:
        statements.append(f"CREATE INDEX ON {table} ({', '.join(index)})")
    statements += [
        f"CREATE UNIQUE INDEX ON {table} ({', '.join(columns)})"
        for columns in context["unique"]
    ]
    return statements


def register(conn: Connection, item: Definition, columns: dict[str, str]) -> bool:
    """Enter a definition in ``ops.definitions``; return whether it is new.

    :raises DefinitionError: if the table was made from another meaning
    """
    meaning = {"columns": columns} | item.model_dump(
        mode="json", exclude={"description", "table", "kind", "source", "index"}
    )
    kind = item.kind.value
    row = conn.execute(
        "SELECT definition FROM ops.definitions WHERE (kind, name) = (%s, %s)",
        (kind, item.table),
    ).fetchone()
    if row is None:
        conn.execute(
            # Where nothing is loaded yet, there is no history to fill it from.
            "INSERT INTO ops.definitions (kind, name, definition, filled_dt)"
            " SELECT %(kind)s, %(name)s, %(definition)s, CASE WHEN NOT EXISTS"
            " (SELECT 1 FROM ops.watermarks WHERE stage = %(vault)s) THEN now() END",
            {
                "kind": kind,
                "name": item.table,
                "definition": Jsonb(meaning),
                "vault": vault.STAGE,
            },
        )
        return True
    if row[0] != meaning:
        changed = sorted(
            field
            for field in row[0].keys() | meaning.keys()
            if row[0].get(field) != meaning.get(field)
        )
        message = (
            f"{path_of(item)}: {', '.join(changed)} differ from what the table "
            f"{item.table} was made from, and its rows would change their meaning. "
            "Put the old definition back and add a new table beside it."
        )
        raise DefinitionError(message)
    return False


def _make_views(conn: Connection) -> None:
    for path in sorted((SQL_FOLDER / "dds" / "views").glob("*.sql")):
        conn.execute(render(str(path.relative_to(SQL_FOLDER))))

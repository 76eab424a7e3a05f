"""The cause of an error of PostgreSQL, queried after it happened."""

from typing import Any

import psycopg

from palate.errors import AccessDeniedError, PalateError, SettingsError, WarehouseError
from palate.names import AREAS_FOLDER, SQL_FOLDER

AnyConnection = psycopg.Connection[Any]

_EXTENSION = "uuid-ossp"
_LOADER = "palate_loader"
_SCHEMAS = ("ops", "stg", "dds", "cdm")
_OLDEST_SERVER = 150_000


def setting(conn: AnyConnection | None, name: str) -> str:
    """Return the session's setting; an empty text if the query fails."""
    row = _ask(conn, "SELECT current_setting(%s)", (name,))
    return str(row[0]) if row else ""


def missing_grant(conn: AnyConnection | None, *, is_owners: bool) -> str:
    """Return what grants this login the right that it lacks.

    :param is_owners: whether it is the owner's work, who creates and drops tables
    """
    row = _ask(
        conn,
        "SELECT quote_ident(current_user), quote_ident(current_database()),"
        " has_database_privilege(current_database(), 'TEMPORARY'),"
        " has_database_privilege(current_database(), 'CREATE'),"
        " EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = %s"
        " AND pg_has_role(r.oid, 'USAGE'))",
        (_LOADER,),
    )
    if row is None:
        return "Let the owner of the warehouse grant it."
    user, database, may_make_temporary, may_create, is_loader = row
    if not may_make_temporary:
        return f"Grant it: GRANT TEMPORARY ON DATABASE {database} TO {user}."
    if is_owners and not may_create:
        return (
            f"Only the owner of the warehouse may do this: use the owner's login, or "
            f"GRANT CREATE ON DATABASE {database} TO {user}."
        )
    if is_owners:
        return "Only the owner of the table may do this: use the owner's login."
    if not is_loader:
        return f"The role that may do all that stages do: GRANT {_LOADER} TO {user}."
    return (
        f"{user} has the role {_LOADER}; `palate migrate`, run by the owner of the "
        "warehouse, gives that role all its rights anew."
    )


def explain_missing(
    error: psycopg.Error, conn: AnyConnection | None, start: str
) -> PalateError | None:
    """Explain that a schema, table, column or function is missing, or hidden."""
    state = error.sqlstate or ""
    if conn is not None and not conn.closed:
        version = conn.info.server_version
        if state in ("42601", "42883", "42704") and version < _OLDEST_SERVER:
            return SettingsError(
                f"{start}PostgreSQL {version // 10_000} is too old: Palate needs "
                f"{_OLDEST_SERVER // 10_000} or newer."
            )
    if state not in ("3F000", "42P01", "42703", "42883", "42704"):
        return None
    what = f"{start}the warehouse is not what this version expects: "
    said = error.diag.message_primary or type(error).__name__
    behind = _behind(conn)
    if behind:
        return SettingsError(f"{what}{said}; {behind} Run `palate migrate`.")
    if hidden := _hidden(conn):
        return AccessDeniedError(f"{what}{said}. {hidden}")
    return WarehouseError(
        f"{what}{said}. All its migrations are there, so `palate migrate` does not "
        "help: the SQL of a definition names something that is not there, or somebody "
        "has dropped or changed it. Correct the definition, or make it as it was."
    )


def newest_revision() -> str:
    """Return the revision of the newest migration."""
    names = (path.name for path in (SQL_FOLDER / "ops" / "versions").glob("*_*.py"))
    return max(names).partition("_")[0]


def _behind(conn: AnyConnection | None) -> str:
    """Return what ``palate migrate`` would create and the warehouse lacks."""
    # By the catalog: a name is not found without the right to use its schema.
    row = _ask(
        conn,
        "SELECT c.oid IS NOT NULL, has_schema_privilege(n.oid, 'USAGE')"
        " AND has_table_privilege(c.oid, 'SELECT')"
        " FROM (VALUES ('ops', 'migrations')) AS t (schema, name)"
        " LEFT JOIN pg_namespace AS n ON n.nspname = t.schema"
        " LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.name",
    )
    if row is None:
        return ""
    is_there, is_seen = row
    if not is_there:
        return "it was never migrated."
    if not is_seen:
        return ""
    found = _ask(conn, "SELECT version_num FROM ops.migrations")
    revision = found[0] if found else ""
    if revision < newest_revision():
        return f"it is at migration {revision or '0'} of {newest_revision()}."
    wanted = {path.stem for path in AREAS_FOLDER.glob("*/dds/*/*.yaml")} | {
        path.parent.name for path in AREAS_FOLDER.glob("*/cdm/*/mart.yaml")
    }
    made = _ask(conn, "SELECT array_agg(name) FROM ops.definitions")
    new = sorted(wanted - set((made and made[0]) or ()))
    return f"{', '.join(new)} has no table yet." if new else ""


def _hidden(conn: AnyConnection | None) -> str:
    """Return which schema this login may not use."""
    row = _ask(
        conn,
        "SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname),"
        " quote_ident(current_user) FROM pg_namespace AS n"
        " WHERE (n.nspname = ANY(%s) OR n.oid = (SELECT e.extnamespace"
        " FROM pg_extension AS e WHERE e.extname = %s))"
        " AND NOT has_schema_privilege(n.oid, 'USAGE')",
        (list(_SCHEMAS), _EXTENSION),
    )
    if row is None or not row[0]:
        return ""
    return (
        f"{row[1]} may not use the schema {row[0]}: "
        f"GRANT USAGE ON SCHEMA {row[0]} TO {row[1]}."
    )


def _ask(
    conn: AnyConnection | None, query: str, values: tuple[Any, ...] = ()
) -> tuple[Any, ...] | None:
    """Query a session that has just had an error; None if it does not answer."""
    if conn is None or conn.closed:
        return None
    try:
        return conn.execute(query, values).fetchone()
    except psycopg.Error:
        return None

"""The roles that others get their rights by: that load, that read, that take files.

None may log in. The server's administrator creates accounts that do: ``CREATE ROLE
... LOGIN IN ROLE palate_loader``.
"""

import logging

import psycopg
from psycopg import sql

from palate.database import Connection
from palate.sql import render
from palate.vault import load_vault

log = logging.getLogger(__name__)

LOADER = "palate_loader"
READER = "palate_reader"
INTAKE = "palate_intake"


def grant(conn: Connection) -> None:
    """Create the roles, where that is allowed, and grant each its rights.

    Rights are granted with each migration, so that a new table has them too. Without
    the roles nothing is granted: everything still works for the owner.
    """
    missing = [role for role in (LOADER, READER) if not _is_there(conn, role)]
    for role in missing:
        if not _make(conn, role):
            log.warning(
                "The roles %s are not there and this account may not make them: no "
                "rights were granted. Let a superuser run `CREATE ROLE %s NOLOGIN; "
                "CREATE ROLE %s NOLOGIN`, then run `palate migrate` again.",
                " and ".join(missing),
                LOADER,
                READER,
            )
            return
    conn.execute(render("ops/roles.sql", changing=changing_columns()))
    # Added later: a warehouse without files does not need it.
    if _is_there(conn, INTAKE) or _make(conn, INTAKE):
        conn.execute(render("ops/intake_role.sql"))
    else:
        log.warning(
            "The role %s is not there and this account may not make it. Where the "
            "intake runs, let a superuser run `CREATE ROLE %s NOLOGIN`, then run "
            "`palate migrate` again.",
            INTAKE,
            INTAKE,
        )


def changing_columns() -> dict[str, list[str]]:
    """Return what loads may change: the least of values, a lower first position."""
    vault = load_vault()
    contexts = {item.table: vault.context(item) for item in vault.in_load_order}
    return {
        table: context["least"] or context["columns"]
        for table, context in contexts.items()
        if context["least"] or context["identity"]
    }


def _is_there(conn: Connection, role: str) -> bool:
    query = "SELECT 1 FROM pg_roles WHERE rolname = %s"
    return conn.execute(query, (role,)).fetchone() is not None


def _make(conn: Connection, role: str) -> bool:
    try:
        with conn.transaction():  # a savepoint: a refusal must not undo the migration
            conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    except psycopg.errors.DuplicateObject:
        log.debug("%s was made meanwhile, for another database of this server.", role)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True

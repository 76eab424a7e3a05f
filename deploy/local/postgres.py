"""PostgreSQL: the warehouse and Airflow's database."""

from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from deploy.local.cluster import Cluster
from deploy.local.ports import HOST
from deploy.local.secrets import Secrets
from deploy.local.settings_files import render

DATABASES = {"dwh": "palate", "airflow": "airflow"}
# The account of Airflow's tasks: it loads, and can't create or drop anything.
TASKS = "palate_tasks"
# The account of the service that takes files: it enters what came.
INTAKE = "intake"
_GROUPS = ("palate_loader", "palate_reader", "palate_intake")


def prepare(var: Path, port: int, superuser_password: str) -> None:
    """Create the cluster if there is none, write its settings.

    :raises StackError: if initdb fails or the cluster is of another major version
    """
    cluster = Cluster(var)
    cluster.make(superuser_password)
    cluster.refuse_other_version()
    # TCP only: a socket's path may have 107 bytes at most.
    cluster.configure(
        "postgresql.conf",
        render("postgresql.conf", address=HOST, port=port, socket_folder=""),
    )


def make_databases(
    superuser: str, passwords: dict[str, str], databases: dict[str, str] = DATABASES
) -> None:
    """Create the missing roles and databases, unless the server is starting.

    :param superuser: the address, with the login, of an account that may do that
    :param passwords: of each role
    :param databases: with the role that owns each
    """
    if not answers(superuser):
        return
    with psycopg.connect(superuser, autocommit=True) as connection:
        for database, owner in databases.items():
            make_role(connection, owner, passwords[owner])
            make_database(connection, database, owner)
        for group in _GROUPS:
            if not _exists(connection, "pg_roles", "rolname", group):
                connection.execute(
                    sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group))
                )
        make_role(connection, TASKS, passwords[TASKS], "IN ROLE palate_loader")
        make_role(connection, INTAKE, passwords[INTAKE], "IN ROLE palate_intake")


def make_role(
    connection: psycopg.Connection[TupleRow],
    role: str,
    password: str,
    options: LiteralString = "",
) -> None:
    """Create a role that logs in, unless it is there."""
    if not _exists(connection, "pg_roles", "rolname", role):
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(
                sql.Identifier(role),
                _verifier(connection, role, password),
                sql.SQL(options),
            )
        )


def make_database(
    connection: psycopg.Connection[TupleRow], database: str, owner: str
) -> None:
    """Create a database unless it is there."""
    if not _exists(connection, "pg_database", "datname", database):
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(database), sql.Identifier(owner)
            )
        )


def role_passwords(secrets: Secrets) -> dict[str, str]:
    """Return the password of each role that logs in, except the superuser."""
    return {
        "palate": secrets.palate,
        "airflow": secrets.airflow,
        TASKS: secrets.tasks,
        INTAKE: secrets.intake,
    }


def set_passwords(superuser: str, passwords: dict[str, str]) -> None:
    """Set the current passwords of existing roles."""
    with psycopg.connect(superuser) as connection:
        for role, password in passwords.items():
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(role), _verifier(connection, role, password)
                )
            )


def dsn(port: int, user: str, password: str, database: str, host: str = HOST) -> str:
    """Return a libpq URI."""
    return f"postgresql://{user}:{password}@{host}:{port}/{database}"


def answers(uri: str) -> bool:
    """Return whether a query gets its answer."""
    try:
        with psycopg.connect(uri, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False


def _verifier(
    connection: psycopg.Connection[TupleRow], role: str, password: str
) -> sql.Literal:
    """Return the server's hash of a password: its log never has the password."""
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    return sql.Literal(verifier.decode())


def _exists(
    connection: psycopg.Connection[TupleRow], catalogue: str, column: str, name: str
) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
        sql.Identifier(catalogue), sql.Identifier(column)
    )
    return connection.execute(query, (name,)).fetchone() is not None

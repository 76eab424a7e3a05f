"""PostgreSQL: a cluster of our own from Debian's server."""

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from deploy.local.errors import StackError
from deploy.local.ports import HOST
from deploy.local.secrets import Secrets
from deploy.local.settings_files import render

# Debian's account for the server, which refuses to run as root.
_SERVER_USER = "postgres"
_DATABASES = {"dwh": "palate", "airflow": "airflow"}
# The account of Airflow's tasks: it loads, and can't create or drop anything.
TASKS = "palate_tasks"
_GROUPS = ("palate_loader", "palate_reader")


def programs() -> Path:
    """Return the folder of the newest installed server's programs.

    :raises StackError: if there is none
    """
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: float(path.parts[-3]),
    )
    if not found:
        raise StackError(
            "PostgreSQL's server is not installed (nothing in /usr/lib/postgresql). "
            "Install it: apt-get install postgresql"
        )
    return found[-1].parent


def server_user() -> str | None:
    """Return the account the server runs under, None for the caller's own."""
    return _SERVER_USER if os.geteuid() == 0 else None


def data_folder(var: Path) -> Path:
    """Return the path of the cluster.

    That is ``var/postgres``. For root the server's account must be able to enter it;
    where it can't (a checkout below /root, for example), the cluster is in that
    account's home, under a name that is derived from ``var``.
    """
    inside, outside = _places(var)
    if outside is None or inside.exists():
        return inside
    return outside if outside.exists() or not _server_can_enter(var) else inside


def prepare(var: Path, port: int, superuser_password: str) -> None:
    """Create the cluster if there is none, write its settings.

    :raises StackError: if initdb fails or the cluster is of another major version
    """
    folder = data_folder(var)
    user = server_user()
    if not (folder / "PG_VERSION").exists():
        _make_cluster(folder, user, superuser_password)
    made_by = (folder / "PG_VERSION").read_text().strip()
    installed = programs().parent.name
    if made_by != installed:
        raise StackError(
            f"The cluster in {folder} was made by PostgreSQL {made_by}, installed is "
            f"{installed}. `make reset` starts anew (and loses the local data)."
        )
    target = folder / "postgresql.conf"
    # TCP only: a socket's path may have 107 bytes at most.
    target.write_text(
        render("postgresql.conf", address=HOST, port=port, socket_folder="")
    )
    if user:
        shutil.chown(target, user)


def make_databases(superuser: str, passwords: dict[str, str]) -> None:
    """Create the missing roles and databases, unless the server is starting.

    :param superuser: the address, with the login, of an account that may do that
    :param passwords: of each role
    """
    if not answers(superuser):
        return
    with psycopg.connect(superuser, autocommit=True) as connection:
        for database, owner in _DATABASES.items():
            if not _exists(connection, "pg_roles", "rolname", owner):
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(owner),
                        _verifier(connection, owner, passwords[owner]),
                    )
                )
            if not _exists(connection, "pg_database", "datname", database):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(database), sql.Identifier(owner)
                    )
                )
        for group in _GROUPS:
            if not _exists(connection, "pg_roles", "rolname", group):
                connection.execute(
                    sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group))
                )
        if not _exists(connection, "pg_roles", "rolname", TASKS):
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(
                    sql.Identifier(TASKS),
                    _verifier(connection, TASKS, passwords[TASKS]),
                    sql.Identifier("palate_loader"),
                )
            )


def role_passwords(secrets: Secrets) -> dict[str, str]:
    """Return the password of each role that logs in, except the superuser."""
    return {
        "palate": secrets.palate,
        "airflow": secrets.airflow,
        TASKS: secrets.tasks,
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


def wipe(var: Path) -> None:
    """Remove the cluster; the server must be down."""
    for folder in _places(var):
        if folder:
            shutil.rmtree(folder.parent, ignore_errors=True)


def _make_cluster(folder: Path, user: str | None, superuser_password: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted initdb
    folder.parent.mkdir(parents=True, exist_ok=True)
    password_file = folder.parent / "superuser-password"
    password_file.touch(mode=0o600)
    password_file.write_text(superuser_password)
    if user:
        shutil.chown(folder.parent, user, user)
        shutil.chown(password_file, user, user)
    try:
        done = subprocess.run(
            _as_server_user(
                [
                    str(programs() / "initdb"),
                    f"--pgdata={folder}",
                    "--username=postgres",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                    "--no-instructions",
                ]
            ),
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
    finally:
        password_file.unlink()
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise StackError(f"initdb failed in {folder}: {done.stderr.strip()}")


def _places(var: Path) -> tuple[Path, Path | None]:
    inside = var / "postgres" / "data"
    user = server_user()
    if user is None:
        return inside, None
    name = hashlib.sha256(str(var).encode()).hexdigest()[:12]
    return inside, Path(pwd.getpwnam(user).pw_dir) / f"palate-{name}" / "data"


def _server_can_enter(folder: Path) -> bool:
    command = _as_server_user(["test", "-x", str(folder)])
    return not subprocess.run(command, cwd="/", check=False).returncode


def _as_server_user(command: list[str]) -> list[str]:
    user = server_user()
    if user is None:
        return command
    account = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", *account, "--", *command]


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

"""Connections to the warehouse.

Locks and temporary tables live as long as a session, so a pooler in transaction mode is
refused. One in session mode needs no setting of its own: where it refuses or ignores
startup options, a session is set up once it is open.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from palate.database_errors import (
    PoolerError,
    explain,
    explain_refusal,
    note_statement,
    refuse_wrong_address,
)
from palate.settings import Settings

Connection = psycopg.Connection[TupleRow]

# A batch joins a few rows with large tables: parallel workers and jit cost more than
# they gain. The timeouts end a session whose process hangs, and with it its locks.
_SESSION = {
    "application_name": "palate",
    "timezone": "UTC",
    "datestyle": "ISO",  # a hash of a row's text must not depend on the server's style
    # What a statement means must not depend on the database's or the role's defaults.
    "default_transaction_isolation": "read committed",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "64MB",
    "temp_buffers": "256MB",
    # Only a batch's temporary tables are analyzed here: a small sample is enough.
    "default_statistics_target": "10",
    "idle_in_transaction_session_timeout": "60s",
    "idle_session_timeout": "300s",
    "client_encoding": "UTF8",
}

# Names without a schema are temporary tables, the catalog's, or of this extension.
_EXTENSION_SCHEMA = (
    "(SELECT extnamespace::regnamespace::text FROM pg_catalog.pg_extension"
    " WHERE extname = 'uuid-ossp')"
)
# By address: where the extension is, and that a pooler answers there. Asking at each
# connect would cost a run a tenth of its time.
_schemas: dict[str, str] = {}
_pooled: set[str] = set()
# How long a pooler may take to end what a session has left behind, in seconds.
_RESET_WAIT = 2.0
_CONNECT_TIMEOUT = 10


class _Noting:
    """Adds to an error the statement that it came from."""

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().execute(query, *args, **kwargs)  # type: ignore[misc]
        except psycopg.Error as error:
            note_statement(error, str(query))
            raise

    @contextmanager
    def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            with super().copy(statement, *args, **kwargs) as copy:  # type: ignore[misc]
                yield copy
        except psycopg.Error as error:
            note_statement(error, str(statement))
            raise


class Cursor(_Noting, psycopg.Cursor[Any]):
    """The cursor of every connection."""


class ClientCursor(_Noting, psycopg.ClientCursor[Any]):
    """A cursor that quotes values itself, for statements without parameters."""


@contextmanager
def connect(
    settings: Settings, who: str = "", *, is_owners: bool = False
) -> Iterator[Connection]:
    """Open a session in autocommit mode, and close it, with its locks, at the end.

    Every error of PostgreSQL leaves it as a sentence (``database_errors``).

    :param who: for whom, such as ``Stage vault``; errors begin with it
    :param is_owners: whether it is the owner's work: a missing right is theirs
    :raises ServiceUnavailableError: if PostgreSQL does not answer, or can't now
    :raises AccessDeniedError: if it refuses the login or a right
    :raises SettingsError: if DWH_DSN is no address, or leads to a pooler in transaction
        mode; or the tables are not there yet
    :raises WarehouseError: if it refuses something else
    """
    connection = open_session(settings)
    try:
        with explained(connection, who, is_owners=is_owners):
            yield connection
    finally:
        connection.close()


@contextmanager
def explained(
    connection: Connection, who: str = "", *, is_owners: bool = False
) -> Iterator[None]:
    """Let every error of PostgreSQL leave a session as a sentence; see ``connect``."""
    try:
        yield
    except psycopg.Error as error:
        _schemas.clear()  # somebody may have moved the extension
        found = explain(error, connection, who, is_owners=is_owners)
        if found is None:  # not PostgreSQL's refusal but our bug
            raise
        raise found from error


def idle_seconds() -> float:
    """Return after how many seconds the server ends an idle session."""
    return float(_SESSION["idle_session_timeout"].removesuffix("s"))


def open_session(settings: Settings) -> Connection:
    """Open a session with all its settings; the caller closes it."""
    dsn = settings.dwh_dsn.get_secret_value()
    parts = refuse_wrong_address(dsn)
    try:
        connection = _direct(dsn, parts) or _proven(dsn, parts)
        for name, value in settings.read_by_statements.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    except psycopg.Error as error:
        raise explain_refusal(error, dsn) from None
    return connection


def _direct(dsn: str, parts: dict[str, Any]) -> Connection | None:
    """Open a session of the server itself; return None if a pooler answers."""
    if dsn in _pooled:
        return None
    options = " ".join(
        "-c " + f"{name}={value}".replace(" ", "\\ ")
        for name, value in _SESSION.items()
    )
    try:
        # Options in the address stay, unless they are set here.
        own = " ".join(filter(None, (parts.get("options"), options)))
        connection = _open(dsn, parts, options=own)
    except psycopg.OperationalError as error:
        if "startup parameter" not in str(error):
            raise
    else:
        try:
            if _set_up(connection, dsn, {}) == connection.info.backend_pid:
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
    _pooled.add(dsn)
    return None


def _open(dsn: str, parts: dict[str, Any], options: str | None = None) -> Connection:
    connect_timeout = parts.get("connect_timeout") or _CONNECT_TIMEOUT
    return psycopg.connect(
        dsn,
        autocommit=True,
        connect_timeout=int(connect_timeout),
        cursor_factory=Cursor,
        options=options or parts.get("options"),
    )


def _set_up(connection: Connection, dsn: str, values: dict[str, str]) -> int:
    """Set what a session needs; return the process that serves it."""
    known = _schemas.get(dsn)
    quoted = (known or "").replace("'", "''")
    schema = f"'{quoted}'" if known else _EXTENSION_SCHEMA
    made = "".join(
        f", set_config('{name}', '{value}', false)" for name, value in values.items()
    )
    pid, path, is_there, *_ = connection.execute(
        "SELECT pg_backend_pid(), set_config('search_path',"
        f" coalesce({schema}, 'public'), false), {schema} IS NOT NULL{made}"
    ).fetchone() or (0, "", False)
    if is_there:
        _schemas[dsn] = path
    return int(pid)


def _set_up_pooled(connection: Connection, dsn: str, marker: str) -> int:
    values = _SESSION | {"palate.session": marker}
    try:
        return _set_up(connection, dsn, values)
    except psycopg.errors.InvalidParameterValue:
        # The session may have had temporary tables: their buffers are already
        # allocated.
        values.pop("temp_buffers")
        return _set_up(connection, dsn, values)


def _proven(dsn: str, parts: dict[str, Any]) -> Connection:
    """Return a session by a pooler whose locks end with it, and whose state stays.

    One session takes a lock and ends. If the lock outlives it, or the next session does
    not find what it has just set, the pooler does not keep sessions apart.

    :raises PoolerError: if it doesn't
    """
    key = secrets.randbits(62)
    with closing(_open(dsn, parts)) as probe:
        probe.execute("SELECT pg_advisory_lock(%s)", (key,))
    connection = _open(dsn, parts)
    try:
        marker = secrets.token_hex(8)
        pid = _set_up_pooled(connection, dsn, marker)
        deadline = time.monotonic() + _RESET_WAIT
        while True:
            is_same, is_left = connection.execute(
                "SELECT pg_backend_pid() = %s"
                " AND current_setting('palate.session', true) = %s,"
                " EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'"
                " AND (classid::bigint << 32 | objid::bigint) = %s)",
                (pid, marker, key),
                prepare=False,  # the next one may be for another session
            ).fetchone() or (False, True)
            if not is_same or (is_left and time.monotonic() > deadline):
                raise PoolerError
            if not is_left:
                return connection
            time.sleep(0.01)
    except BaseException:
        connection.close()
        raise

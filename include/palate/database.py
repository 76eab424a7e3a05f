"""Connections to the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

from palate.errors import ServiceUnavailableError, SettingsError
from palate.settings import Settings

Connection = psycopg.Connection[TupleRow]

# A batch joins a few rows with large tables: parallel workers and jit cost more than
# they give. The timeouts end a session whose process hangs, and with it its locks.
_SESSION = {
    "application_name": "palate",
    "timezone": "UTC",
    "datestyle": "ISO",  # a hash of a row's text must not depend on the server's style
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "64MB",
    "temp_buffers": "256MB",
    # What is analyzed here is a batch's temporary table: a small sample tells enough.
    "default_statistics_target": "10",
    "idle_in_transaction_session_timeout": "60s",
    "idle_session_timeout": "300s",
    "client_encoding": "UTF8",
}

_NOT_MIGRATED = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
)


@contextmanager
def connect(settings: Settings) -> Iterator[Connection]:
    """Open a session in autocommit mode, and close it, with its locks, at the end.

    :raises ServiceUnavailableError: if PostgreSQL does not answer or refuses
    :raises SettingsError: if DWH_DSN is no address, or the tables are not there yet
    """
    options = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    try:
        connection = psycopg.connect(
            settings.dwh_dsn.get_secret_value(),
            options=options,
            autocommit=True,
            connect_timeout=10,
        )
    except psycopg.OperationalError as error:
        message = (
            f"PostgreSQL (the warehouse) can't be reached: {_first_line(error)}. "
            "Check that it runs (`make status`) and that DWH_DSN or the Airflow "
            "Connection `dwh` is right."
        )
        raise ServiceUnavailableError(message) from None
    except psycopg.ProgrammingError as error:
        message = (
            f"DWH_DSN is no address of a database: {_first_line(error)}. Set it to "
            "postgresql://user:password@host:port/database, or correct the Airflow "
            "Connection `dwh`."
        )
        raise SettingsError(message) from None
    try:
        yield connection
    except _NOT_MIGRATED as error:
        message = (
            f"The warehouse is not what this version expects: {_first_line(error)}. "
            "Run `palate migrate`."
        )
        raise SettingsError(message) from error
    finally:
        connection.close()


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0]

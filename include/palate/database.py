"""Connections to the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

from palate.errors import ServiceUnavailableError
from palate.settings import Settings

Connection = psycopg.Connection[TupleRow]

# A batch joins a few rows with large tables: parallel workers and jit cost more than
# they give. The timeouts end a session whose process hangs, and with it its locks.
_SESSION = {
    "application_name": "palate",
    "timezone": "UTC",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "64MB",
    "temp_buffers": "256MB",
    "idle_in_transaction_session_timeout": "60s",
    "idle_session_timeout": "300s",
    "client_encoding": "UTF8",
}


@contextmanager
def connect(settings: Settings) -> Iterator[Connection]:
    """Open a session in autocommit mode, and close it, with its locks, at the end.

    :raises ServiceUnavailableError: if PostgreSQL does not answer or refuses
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
    try:
        yield connection
    finally:
        connection.close()


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0]

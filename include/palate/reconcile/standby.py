"""The standby of a source: Palate asks it, and never the primary, for rows."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from palate.errors import AccessDeniedError, ServiceUnavailableError, SettingsError
from palate.settings import Settings

_CONNECT_TIMEOUT = 10
_SETTING = "FLIGHTS_STANDBY_DSN"
# A replay may cancel a long query; another one begins with a later state.
CANCELLED = "40001"


class ReadCancelledError(ServiceUnavailableError):
    """Raised when the standby's replay has cancelled the reading of rows."""


@dataclass
class Standby:
    """One look at the standby: all rows of one moment.

    ``lsn`` is what it had replayed before the moment, ``read_dt`` when that was.
    """

    conn: psycopg.Connection[Any]
    lsn: int
    read_dt: datetime

    def columns(self, schema: str, table: str) -> set[str]:
        """Return the columns that a table has there."""
        with _explained():
            rows = self.conn.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid ="
                " to_regclass(format('%%I.%%I', %s::text, %s::text))"
                " AND attnum > 0 AND NOT attisdropped",
                (schema, table),
            ).fetchall()
        return {name for (name,) in rows}

    def blocks(self, query: str) -> Iterator[Any]:
        """Yield what a COPY sends, block by block."""
        with _explained(), self.conn.cursor().copy(query) as copy:
            yield from copy


@contextmanager
def look(
    settings: Settings, at_least: int = 0, patience: float = 60
) -> Iterator[Standby]:
    """Begin one look: take what is replayed, then a snapshot of all tables.

    :param at_least: wait until so much is replayed, as long as there is patience
    :raises ServiceUnavailableError: if it does not answer, or is no standby
    :raises AccessDeniedError: if it refuses the login
    """
    dsn = settings.flights_standby_dsn.get_secret_value()
    with _explained():
        conn = psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT,
            application_name="palate reconcile",
            options="-c timezone=UTC -c datestyle=ISO -c extra_float_digits=1",
        )
    with conn:
        lsn = _replayed(conn)
        until = time.monotonic() + patience
        while lsn < at_least and time.monotonic() < until:
            time.sleep(0.5)
            lsn = _replayed(conn)
        with _explained():
            conn.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            (read_dt,) = conn.execute("SELECT now()").fetchone() or (None,)
        yield Standby(conn, lsn, read_dt)


def _replayed(conn: psycopg.Connection[Any]) -> int:
    with _explained():
        row = conn.execute(
            "SELECT pg_is_in_recovery(),"
            " coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::bigint"
        ).fetchone() or (False, 0)
    if not row[0]:
        message = (
            f"{_SETTING} leads to a server that is no standby: it is not in recovery. "
            "Palate asks no primary for rows. Make a new standby, and let the setting "
            "name it."
        )
        raise SettingsError(message)
    return int(row[1])


@contextmanager
def _explained() -> Iterator[None]:
    """Let an error of the standby be one of Palate's; its words may have a login."""
    try:
        yield
    except psycopg.errors.SerializationFailure:
        message = (
            f"The standby ({_SETTING}) has cancelled the reading of its rows, since "
            "what it replays removes some of them. See max_standby_streaming_delay and "
            "hot_standby_feedback there."
        )
        raise ReadCancelledError(message) from None
    except psycopg.errors.InsufficientPrivilege as error:
        message = f"The standby ({_SETTING}): {error.diag.message_primary}."
        raise AccessDeniedError(message) from None
    except psycopg.Error as error:
        code = error.sqlstate or type(error).__name__
        message = f"The standby ({_SETTING}) can't be asked: {code}."
        if (error.sqlstate or "").startswith("28"):
            raise AccessDeniedError(message) from None
        raise ServiceUnavailableError(message) from None

"""Sessions that pages read through: kept open, read-only, ended after two seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
from fastapi import Depends, Request

from palate.database import Connection, explained, open_session
from palate.errors import ServiceUnavailableError
from palate.session_pool import SessionPool
from palate.settings import Settings

# The api-server serves all of Airflow: a page must never keep its threads for long.
_SESSIONS = 4
_STATEMENT_TIMEOUT = "2s"
_SECONDS_TO_WAIT = 5.0


class Sessions:
    """The sessions of one process; each is opened by the first request that needs it.

    Thread-safe.
    """

    def __init__(self, load_settings: Callable[[], Settings]) -> None:
        """Keep where the settings come from; nothing is opened yet."""
        self.load_settings = load_settings
        self._pool = SessionPool(
            self._opened,
            _SESSIONS,
            _SECONDS_TO_WAIT,
            "Too many pages are being read at once. Try again; what is shown takes "
            "at most two seconds.",
        )

    def read(self) -> Iterator[Connection]:
        """Yield a session in a transaction that sees one moment.

        :raises ServiceUnavailableError: if PostgreSQL does not answer, or all are busy
        """
        with (
            self._pool.session() as conn,
            explained(conn, "This page"),
            _in_time(),
            conn.transaction(),
        ):
            yield conn

    def close(self) -> None:
        """Close the sessions that are not in use."""
        self._pool.close()

    def _opened(self) -> Connection:
        conn = open_session(self.load_settings())
        conn.execute(
            "SELECT set_config('default_transaction_read_only', 'on', false),"
            " set_config('statement_timeout', %s, false)",
            (_STATEMENT_TIMEOUT,),
        )
        conn.read_only = True
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return conn


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.QueryCanceled:
        message = (
            f"A statement of this page took longer than {_STATEMENT_TIMEOUT} and was "
            "ended. Narrow down what the page is to show, or try again when PostgreSQL "
            "has less to do."
        )
        raise ServiceUnavailableError(message) from None


def _session(request: Request) -> Iterator[Connection]:
    yield from request.app.state.sessions.read()


def current_user() -> str:
    """Return the name of who asks; ``create_app`` puts the guards' own in its place."""
    raise NotImplementedError


def _settings(request: Request) -> Settings:
    found: Settings = request.app.state.sessions.load_settings()
    return found


# What a page's function asks for.
Session = Annotated[Connection, Depends(_session)]
Configured = Annotated[Settings, Depends(_settings)]
User = Annotated[str, Depends(current_user)]

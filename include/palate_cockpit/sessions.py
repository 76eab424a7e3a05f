"""Sessions that pages read through: kept open, read-only, ended after two seconds.

A pool of psycopg's hides why a session can't be opened, in a log of its own; here the
page says it, by the sentence of ``palate.database``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from threading import BoundedSemaphore
from time import monotonic
from typing import Annotated

import psycopg
from fastapi import Depends, Request

from palate.database import Connection, explained, open_session
from palate.errors import ServiceUnavailableError
from palate.settings import Settings

# The api-server serves all of Airflow: a page must never keep its threads for long.
_SESSIONS = 4
_STATEMENT_TIMEOUT = "2s"
_SECONDS_TO_WAIT = 5.0
# A Connection that somebody has changed is used from then on; the server would end a
# session that is idle for much longer.
_SECONDS_TO_LIVE = 60.0


class Sessions:
    """The sessions of one process; each is opened by the first request that needs it.

    Thread-safe.
    """

    def __init__(self, load_settings: Callable[[], Settings]) -> None:
        """Keep where the settings come from; nothing is opened yet."""
        self.load_settings = load_settings
        self._free = BoundedSemaphore(_SESSIONS)
        self._idle: LifoQueue[tuple[Connection, float]] = LifoQueue()

    def read(self) -> Iterator[Connection]:
        """Yield a session in a transaction that sees one moment.

        :raises ServiceUnavailableError: if PostgreSQL does not answer, or all are busy
        """
        if not self._free.acquire(timeout=_SECONDS_TO_WAIT):
            message = (
                "Too many pages are being read at once. Try again; what is shown takes "
                "at most two seconds."
            )
            raise ServiceUnavailableError(message)
        try:
            conn, opened = self._take()
            try:
                with explained(conn, "This page"), _in_time(), conn.transaction():
                    yield conn
            finally:
                self._give_back(conn, opened)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the sessions that are not in use."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait()[0].close()

    def _take(self) -> tuple[Connection, float]:
        with suppress(Empty):
            while True:
                conn, opened = self._idle.get_nowait()
                if monotonic() - opened < _SECONDS_TO_LIVE and _answers(conn):
                    return conn, opened
                conn.close()
        conn = open_session(self.load_settings())
        conn.execute(
            "SELECT set_config('default_transaction_read_only', 'on', false),"
            " set_config('statement_timeout', %s, false)",
            (_STATEMENT_TIMEOUT,),
        )
        conn.read_only = True
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return conn, monotonic()

    def _give_back(self, conn: Connection, opened: float) -> None:
        if conn.closed or conn.info.transaction_status:  # IDLE is 0
            conn.close()
        else:
            self._idle.put((conn, opened))


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


def _answers(conn: Connection) -> bool:
    try:
        conn.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


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

"""Sessions of the warehouse that are kept open between uses.

A pool of psycopg's hides why a session can't be opened, in a log of its own; here the
caller gets the sentence of ``palate.database``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from threading import BoundedSemaphore
from time import monotonic

import psycopg

from palate.database import Connection
from palate.errors import ServiceUnavailableError

# An address that somebody has changed is used from then on; the server would end a
# session that is idle for much longer.
_SECONDS_TO_LIVE = 60.0


class SessionPool:
    """The sessions of one process; each is opened by the first use that needs it.

    Thread-safe.
    """

    def __init__(
        self, opened: Callable[[], Connection], size: int, seconds: float, busy: str
    ) -> None:
        """Open nothing yet.

        :param opened: opens a session
        :param size: how many there may be
        :param seconds: how long a use waits for one
        :param busy: the sentence for who waited in vain
        """
        self._opened = opened
        self._seconds = seconds
        self._busy = busy
        self._free = BoundedSemaphore(size)
        self._idle: LifoQueue[tuple[Connection, float]] = LifoQueue()

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Give a session to one user.

        :raises ServiceUnavailableError: if PostgreSQL does not answer, or all are busy
        """
        if not self._free.acquire(timeout=self._seconds):
            raise ServiceUnavailableError(self._busy)
        try:
            conn, opened = self._take()
            try:
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
        return self._opened(), monotonic()

    def _give_back(self, conn: Connection, opened: float) -> None:
        if conn.closed or conn.info.transaction_status:  # IDLE is 0
            conn.close()
        else:
            self._idle.put((conn, opened))


def _answers(conn: Connection) -> bool:
    try:
        conn.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True

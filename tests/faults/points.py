"""The points at which a worker can be killed, stopped or cut off: at every statement.

Each call of the driver that says something to PostgreSQL is a point: a statement, the
begin and the commit of a transaction, rows of a COPY and its end; and the first
messages that are sent to Kafka, each piece that is written to Redis. One is chosen by
its name, which has the stage and how often the stage said the same before, or by how
its text begins. The product's code knows nothing of it.
"""

import gc
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import psycopg
from redis.client import Pipeline

from palate.clients.kafka_sender import Sender

# How long a statement may run before the process dies in the middle of it.
_INSIDE_SECONDS = 0.002
_SENT = 4


@dataclass(frozen=True)
class Trip:
    """Where a worker meets its fate.

    :param name: the point's name, as the trace has it; or empty to go by ``text``
    :param text: what the point's label begins with
    :param nth: which of the points with this text
    :param inside: not before the statement but once it was sent
    :param stop: SIGSTOP instead of SIGKILL
    :param cut: the server ends a session instead: ``own``, the one that is about to say
        something, or ``others``, all the others of this process
    """

    name: str = ""
    text: str = ""
    nth: int = 1
    inside: bool = False
    stop: bool = False
    cut: str = ""


class Points:
    """The points of this process; ``stage`` is part of the names of those to come."""

    def __init__(self, trip: Trip | None, trace: Path) -> None:
        self._trip = trip
        self._trace = trace.open("a", buffering=1)
        self.stage = ""
        self._named: Counter[str] = Counter()
        self._seen = 0
        self._lock = threading.Lock()

    def reach(
        self, label: str, inside: Callable[[Trip], None], cut: Callable[[Trip], None]
    ) -> None:
        """Write the point down, and act if it is the chosen one."""
        with self._lock:
            same = f"{self.stage}: {label}"
            self._named[same] += 1
            name = f"{same} #{self._named[same]}"
            self._trace.write(f"{name}\n")
            trip = self._trip
            if trip is None or not self._is_chosen(trip, label, name):
                return
            if trip.cut:
                self._trip = None
                cut(trip)
            elif trip.inside:
                inside(trip)
            else:
                _end(trip)

    def _is_chosen(self, trip: Trip, label: str, name: str) -> bool:
        if trip.name:
            return name == trip.name
        fits = label.startswith(trip.text)
        self._seen += fits
        return fits and self._seen == trip.nth


def watch(trip: Trip | None, trace: Path, dsn: str) -> Points:
    """Make every statement of this process a point; write each to ``trace``.

    :param dsn: of the server that is to end sessions
    """
    points = Points(trip, trace)

    def before(owner: type, name: str, label: Callable[..., str | None]) -> None:
        original = getattr(owner, name)

        @wraps(original)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            if found := label(self, *args):
                points.reach(
                    found,
                    lambda trip: _end_inside(trip, self, found),
                    lambda trip: _cut(trip, self, dsn),
                )
            return original(self, *args, **kwargs)

        setattr(owner, name, wrapper)

    before(psycopg.Cursor, "execute", lambda _, query, *__: _first_line(query))
    before(psycopg.Cursor, "executemany", lambda _, query, *__: _first_line(query))
    before(psycopg.Transaction, "__enter__", lambda _: "BEGIN")
    before(
        psycopg.Transaction,
        "__exit__",
        lambda _, error, *__: "ROLLBACK" if error else "COMMIT",
    )
    rows: dict[int, int] = {}

    def row_label(copy: Any, *_: Any) -> str | None:
        rows[id(copy)] = number = rows.get(id(copy), 0) + 1
        # The first, and then fewer and fewer: all rows of a COPY are much alike.
        return f"COPY row {number}" if number & (number - 1) == 0 else None

    before(psycopg.Copy, "write_row", row_label)
    before(psycopg.Copy, "__exit__", lambda copy, *_: _end_of_copy(copy, rows))
    sent: Counter[str] = Counter()

    def message_label(sender: Any, *_: Any) -> str | None:
        sent[sender._topic] += 1
        # How many follow differs from run to run.
        return f"SEND to {sender._topic}" if sent[sender._topic] <= _SENT else None

    before(Sender, "_produce", message_label)
    before(Pipeline, "execute", lambda *_: "REDIS")
    return points


def wait_for_the_end() -> None:
    """Die in the last statement too, if that was chosen: it is over sooner."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()


def _end_of_copy(copy: Any, rows: dict[int, int]) -> str:
    rows.pop(id(copy), None)
    return "COPY end"


def _first_line(query: Any) -> str:
    lines = [line.strip() for line in str(query).splitlines()]
    said = [line for line in lines if line and not line.startswith("--")]
    return " ".join(said)[:120]


def _end(trip: Trip) -> None:
    os.kill(os.getpid(), signal.SIGSTOP if trip.stop else signal.SIGKILL)


def _cut(trip: Trip, called: Any, dsn: str) -> None:
    """Let the server end sessions of this process, as an operator or a restart does."""
    conn = getattr(called, "connection", None)  # Kafka and Redis have none of it
    own = {conn.info.backend_pid} if isinstance(conn, psycopg.Connection) else set()
    mine = own if own and trip.cut == "own" else _sessions() - own
    # By libpq itself: what the driver says would be a point.
    pgconn = psycopg.pq.PGconn.connect(dsn.encode())
    for pid in mine:
        pgconn.exec_(b"SELECT pg_terminate_backend(%d, 10000)" % pid)
    pgconn.finish()


def _sessions() -> set[int]:
    """Return the server's processes that serve this one."""
    return {
        one.info.backend_pid
        for one in gc.get_objects()
        if isinstance(one, psycopg.Connection) and not one.closed
    }


def _end_inside(trip: Trip, called: Any, label: str) -> None:
    """Send what was to be said, and end before the answer is read."""
    if label == "COMMIT":
        pgconn = called.connection.pgconn
        pgconn.send_query(b"COMMIT")
        pgconn.flush()
        _end(trip)
    else:
        threading.Timer(_INSIDE_SECONDS, _end, [trip]).start()

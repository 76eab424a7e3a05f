"""The lock of a stage: held by a session, proven by every transaction (ADR 0023).

A session loses its lock when it ends, and its process is not notified. So before a
transaction commits it proves that its run still holds the lock, and takes a second lock
that excludes others until it has committed, whatever becomes of the first.
"""

import logging
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum

import psycopg
from psycopg.pq import TransactionStatus

from palate.database import Connection, idle_seconds
from palate.errors import LockLostError, StageBusyError

log = logging.getLogger(__name__)


def lock_key(stage: str) -> str:
    """Return SQL for the key of the lock of the stage that an SQL expression names."""
    return f"hashtextextended('palate stage ' || {stage}, 0)"


_KEY = lock_key("%(stage)s")
# Shared by transactions of second sessions; whoever takes the stage waits for them.
_BESIDE_KEY = lock_key("'beside ' || %(stage)s")
# One run's own: it is taken as long as the run's first session lives.
_RUN_KEY = lock_key("'run ' || %(token)s::text")
_TAKE = (
    f"SELECT pg_advisory_lock({_KEY}), pg_advisory_xact_lock({_BESIDE_KEY}),"
    f" pg_advisory_lock({_RUN_KEY}), set_config('palate.run', %(token)s, false)"
)


class Proof(Enum):
    """How a transaction proves that its run holds the lock, by which session it is in.

    ``FIRST``: the session is the one that took it, and was not reset since. ``BESIDE``:
    first exclude others from the stage, then check the run's lock: it is free only if
    the first session has ended.
    """

    FIRST = (
        "SELECT now(), current_setting('palate.run', true) = %(token)s"
        f" AND pg_try_advisory_xact_lock({_KEY})"
    )
    BESIDE = (
        f"SELECT now(), CASE WHEN pg_try_advisory_xact_lock_shared({_BESIDE_KEY})"
        f" THEN NOT pg_try_advisory_xact_lock_shared({_RUN_KEY}) ELSE false END"
    )


def take(conn: Connection, stage: str, wait: float) -> str:
    """Take the stage's lock for the session; return the token that proves it.

    :param wait: for how long, in seconds
    :raises StageBusyError: if another run holds it for longer
    """
    conn.execute(
        "SELECT set_config('lock_timeout', %s, false)", (f"{int(wait * 1000) or 1}ms",)
    )
    token = secrets.token_hex(8)
    if _is_taken(conn, stage, token) or (
        _terminate_hung(conn, stage) and _is_taken(conn, stage, token)
    ):
        return token
    message = (
        f"Stage {stage} is busy: another run has held its lock for {wait:g} s. What "
        "waits is not lost: the run that holds the lock, or the next one that gets it, "
        "takes it. If runs are green and nothing moves: `palate status`, then "
        "docs/operations.md, 'A stage stays busy'."
    )
    raise StageBusyError(message)


def release(conn: Connection) -> None:
    """Release all locks of the session."""
    conn.execute("SELECT pg_advisory_unlock_all()")


def prove(conn: Connection, proof: Proof, stage: str, token: str) -> datetime:
    """Prove in an open transaction that the lock is held, and keep it to its end.

    :return: when the transaction began
    :raises LockLostError: if the lock is lost
    """
    values = {"stage": stage, "token": token}
    row = conn.execute(proof.value, values).fetchone()
    if row is None or not row[1]:
        message = (
            f"Stage {stage}: this run has lost the stage's lock: its session was "
            "ended, or another one answers in its place. Nothing was written without "
            "the lock; another attempt goes on from what is committed."
        )
        raise LockLostError(message)
    began: datetime = row[0]
    return began


@contextmanager
def kept_awake(connections: Iterable[Connection]) -> Iterator[None]:
    """Keep idle sessions, and their locks, from timing out while others work.

    A hung process keeps none alive, and so loses its locks as it should.
    """
    sessions = list(connections)
    seconds = idle_seconds() / 3
    stop = threading.Event()

    def keep() -> None:
        while not stop.wait(seconds):
            for session in sessions:
                _ping(session)

    keeper = threading.Thread(target=keep, name="palate-awake", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def _ping(session: Connection) -> None:
    # Never in a transaction: a long idle one must be terminated.
    if session.lock.acquire(blocking=False):
        try:
            pgconn = session.pgconn
            if pgconn.transaction_status == TransactionStatus.IDLE:
                pgconn.exec_(b"SELECT 1")
        finally:
            session.lock.release()


def _is_taken(conn: Connection, stage: str, token: str) -> bool:
    """Wait for the stage's lock; return whether it was free in time."""
    try:
        # A session-level lock: taken before the first snapshot, released with the
        # session.
        conn.execute(_TAKE, {"stage": stage, "token": token})
    except psycopg.errors.LockNotAvailable:
        release(conn)  # those it did get
        return False
    return True


def _terminate_hung(conn: Connection, stage: str) -> bool:
    """Terminate the sessions that hold the lock, if their process hangs in a statement.

    PostgreSQL terminates a session that is idle in a transaction, but not one whose
    process has stopped sending or receiving rows: a waiting run does that. A chunk is
    short, so no statement of a live process takes that long.
    """
    ended = conn.execute(
        "SELECT pg_terminate_backend(a.pid, 5000) FROM pg_locks AS l"
        " INNER JOIN pg_stat_activity AS a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND a.datname = current_database() AND a.datid = l.database"
        " AND (l.classid::bigint << 32 | l.objid::bigint)"
        f" IN ({_KEY}, {_BESIDE_KEY})"
        " AND a.usename = current_user AND a.state = 'active'"
        " AND a.wait_event_type = 'Client' AND a.query_start < clock_timestamp()"
        " - current_setting('idle_in_transaction_session_timeout')::interval",
        {"stage": stage},
    ).rowcount
    if ended:
        log.error(
            "Stage %s: the run that held its lock hung in a statement. Its session was"
            " ended, and what it had not committed is rolled back.",
            stage,
        )
    return bool(ended)

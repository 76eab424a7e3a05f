"""The engine of every stage: its lock, its runs, and the ledger of its batches.

A batch is one transaction: it writes rows, moves the stage's watermark and enters
itself in the ledger, together or not at all (ADR 0001).
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from palate.database import Connection, connect
from palate.engine import locks, progress, taken
from palate.engine.locks import Proof
from palate.engine.outcome import Batch, Caller, Outcome
from palate.positions import Range, advance, retained
from palate.settings import Settings
from palate.table_set import TableSet

log = logging.getLogger(__name__)


class StageRun:
    """One attempt at a stage, holding its lock."""

    def __init__(
        self,
        conn: Connection,
        stage: str,
        caller: Caller,
        tables: TableSet = TableSet.LIVE,
        token: str = "",
    ) -> None:
        """Enter the attempt in ``ops.stage_runs``.

        :param token: proves that the session took the lock
        """
        self.conn = conn
        self.stage = stage
        self.caller = caller
        self.tables = tables
        self.outcome = Outcome(stage)
        self._token = token
        self._proof = Proof.FIRST
        self.reload_id: int | None = None  # the plan that its repeats belong to
        (self.stage_run_id,) = conn.execute(
            "INSERT INTO ops.stage_runs"
            " (stage, dag_id, run_id, task_id, map_index, try_number)"
            " VALUES (%(stage)s, %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s,"
            " %(try_number)s) RETURNING stage_run_id",
            self.identity() | {"try_number": caller.try_number},
        ).fetchone() or (0,)

    def with_connection(self, conn: Connection) -> "StageRun":
        """Return the same attempt with a second session, to work in parallel.

        The first one keeps the lock; each transaction proves that it is held.
        """
        other = copy(self)
        other.conn = conn
        other._proof = Proof.BESIDE
        return other

    @contextmanager
    def beside(self, settings: Settings) -> Iterator["StageRun"]:
        """Open a second session for the same attempt."""
        with connect(settings, _who(self.stage)) as conn:
            yield self.with_connection(conn)

    @contextmanager
    def transaction(self) -> Iterator[datetime]:
        """Open a transaction that commits only while the lock is held; yield its time.

        :raises LockLostError: if the lock is lost; nothing was written
        """
        with self.conn.transaction():
            yield self.prove()

    def prove(self) -> datetime:
        """Prove in an open transaction that the lock is held, and keep it to its end.

        :return: when the transaction began
        :raises LockLostError: if the lock is lost
        """
        return locks.prove(self.conn, self._proof, self.stage, self._token)

    def without_dropped(self, ranges: Iterable[Range]) -> list[Range]:
        """Leave out what the stage would need from STG and retention has dropped."""
        kept, gone = retained.split(self.conn, self.stage, ranges)
        if gone:
            note = retained.describe(gone)
            self.outcome.note = f"{self.outcome.note} {note}".lstrip()
            log.warning("%s: %s", self.stage, note)
        return kept

    def was_finished(self) -> bool:
        """Return whether an earlier attempt succeeded: then this one was cleared."""
        row = self.conn.execute(
            "SELECT 1 FROM ops.stage_runs"
            " WHERE (stage, dag_id, run_id, task_id, map_index) ="
            " (%(stage)s, %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)"
            " AND outcome = 'done' LIMIT 1",
            self.identity(),
        ).fetchone()
        return row is not None

    @contextmanager
    def batch(
        self,
        ranges: list[Range],
        *,
        is_repeat: bool = False,
        has_ranges: bool = True,
    ) -> Iterator[Batch]:
        """Open a transaction that proves the lock; enter the batch at its end.

        The body may narrow ``batch.ranges`` to what it really took; without ranges
        nothing is entered. A repeat moves no watermark.

        :param has_ranges: false for work that may have no position: then the batch is
            entered if it has counted anything
        """
        with self.transaction() as load_dt:
            batch = Batch(ranges, is_repeat, load_dt)
            yield batch
            if not batch.ranges and (has_ranges or not batch.counts.total()):
                return
            if not is_repeat:
                advance(self.conn, self.stage, batch.ranges, batch.load_dt)
            self._enter(batch)
        self.outcome.add(batch)
        if batch.ranges:
            log.info("%s: %s", self.stage, ", ".join(map(str, batch.ranges)))
        if self.caller.on_batch:
            self.caller.on_batch(self.stage, batch)

    def note_who_took(self) -> None:
        """Add to the outcome of a cleared task that takes nothing which run took it."""
        is_again = self.caller.try_number > 1 and self.tables is TableSet.LIVE
        if is_again and not self.outcome.batches:
            note = taken.describe(self.conn, self.identity())
            self.outcome.note = f"{self.outcome.note} {note}".strip()

    def yield_lock(self, settings: Settings) -> None:
        """Let a run that waits for the stage go first, between two batches."""
        with self.letting_others_run(settings):
            pass

    @contextmanager
    def letting_others_run(self, settings: Settings) -> Iterator[None]:
        """Release the stage's lock during work that only reads, and take it again.

        :raises StageBusyError: if another run keeps it then, as ``open_run``
        """
        locks.release(self.conn)
        yield
        wait = settings.palate_lock_wait
        self._token = locks.take(self.conn, self.stage, wait)

    def finish(self, outcome: str, error: str | None = None) -> None:
        """Close the attempt in ``ops.stage_runs``."""
        self.conn.execute(
            "UPDATE ops.stage_runs SET finished_dt = clock_timestamp(),"
            " outcome = %(outcome)s, error = %(error)s"
            " WHERE stage_run_id = %(id)s",
            {"outcome": outcome, "error": error, "id": self.stage_run_id},
        )

    def identity(self) -> dict[str, Any]:
        """Return what the attempts of one task at one stage have in common."""
        return {
            "stage": self.stage,
            "dag_id": self.caller.dag_id,
            "run_id": self.caller.run_id,
            "task_id": self.caller.task_id,
            "map_index": self.caller.map_index,
        }

    def _enter(self, batch: Batch) -> None:
        (batch_id,) = self.conn.execute(
            "INSERT INTO ops.batches (stage_run_id, stage, is_repeat, load_dt, counts)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING batch_id",
            (
                self.stage_run_id,
                self.stage,
                batch.is_repeat,
                batch.load_dt,
                Jsonb(dict(batch.counts)),
            ),
        ).fetchone() or (0,)
        # One statement: after a pipeline, which executemany is, PostgreSQL 15 starts no
        # idle_in_transaction_session_timeout, and a process that hangs here would keep
        # the lock.
        self.conn.execute(
            "INSERT INTO ops.batch_ranges (batch_id, topic, epoch,"
            " kafka_partition, from_offset, to_offset)"
            " SELECT %s, * FROM unnest(%s::text[], %s::integer[], %s::integer[],"
            " %s::bigint[], %s::bigint[])",
            (
                batch_id,
                [item.log.topic for item in batch.ranges],
                [item.log.epoch for item in batch.ranges],
                [item.log.partition for item in batch.ranges],
                [item.start for item in batch.ranges],
                [item.end for item in batch.ranges],
            ),
        )
        progress.enter(self, batch_id, batch)


@contextmanager
def open_run(
    settings: Settings, stage: str, caller: Caller, tables: TableSet = TableSet.LIVE
) -> Iterator[StageRun]:
    """Take the stage's lock and enter an attempt; close both at the end.

    :param tables: which tables the stage writes
    :raises StageBusyError: if another run holds the lock for longer than
        ``PALATE_LOCK_WAIT`` seconds
    :raises ServiceUnavailableError: if PostgreSQL fails meanwhile; what was not
        committed is rolled back
    """
    with connect(settings, _who(stage)) as conn:
        token = locks.take(conn, stage, settings.palate_lock_wait)
        run = StageRun(conn, stage, caller, tables, token)
        try:
            yield run
        except Exception as error:
            # The session may be lost; the error to report is the run's own.
            with suppress(psycopg.Error):
                run.finish("failed", str(error))
            raise
        run.note_who_took()
        run.finish("done" if run.outcome.batches else "nothing")
        log.info("%s", run.outcome)


def _who(stage: str) -> str:
    return f"Stage {stage}"

"""The stage of a mart, of whatever kind: take what the vault has, in chunks."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from palate.database import Connection
from palate.engine import Caller, Outcome, StageRun, open_run, progress
from palate.marts import copy_log, kinds
from palate.marts.definitions import find_mart
from palate.marts.meaning import of_mart
from palate.marts.models import Mart
from palate.positions import Range, open_ranges, row_chunks, watermarks
from palate.settings import Settings
from palate.table_set import TableSet
from palate.tables import initial_load, registry


def run(settings: Settings, name: str, caller: Caller) -> Outcome:
    """Take what the vault has and the mart has not taken yet, in chunks.

    A cleared task, and a backfill, correct what their own ranges concern; right rows
    stay as they are.

    :raises DefinitionError: if its folder means something else than the mart
    """
    if caller.interval:
        outcome = reload(settings, name, caller)
        progress.end(settings, caller, find_mart(name).stage)
        return outcome
    with _open_run(settings, name, caller) as (attempt, mart):
        if initial_load.pending_of(attempt.conn, [name]):
            _fill(settings, attempt, mart)
        elif attempt.was_finished():
            _repeat(settings, attempt, mart, progress.to_repeat(attempt))
        else:
            catch_up(settings, attempt, mart)
        return attempt.outcome


def reload(settings: Settings, name: str, caller: Caller) -> Outcome:
    """Correct what the positions concern that the caller's run has planned.

    What a killed attempt has done is not repeated.
    """
    with _open_run(settings, name, caller) as (attempt, mart):
        if initial_load.pending_of(attempt.conn, [name]):
            _fill(settings, attempt, mart)
        else:
            _reload(settings, attempt, mart)
        return attempt.outcome


@contextmanager
def _open_run(
    settings: Settings, name: str, caller: Caller
) -> Iterator[tuple[StageRun, Mart]]:
    """Begin a run of a mart whose folder means what the mart was made from.

    :raises DefinitionError: if it means something else, or was removed
    """
    mart = find_mart(name)
    with open_run(settings, mart.stage, caller) as attempt:
        registry.refuse_changed(attempt.conn, [of_mart(name)])
        copy_log.keep(attempt.conn, settings, mart)
        yield attempt, mart
        kinds.of(name).settle(attempt)


def _reload(settings: Settings, attempt: StageRun, mart: Mart) -> None:
    catch_up(settings, attempt, mart)
    plan = progress.begin(attempt)
    if plan:
        done = watermarks(attempt.conn, mart.stage)
        _repeat(settings, attempt, mart, plan.below(done))


def _fill(settings: Settings, attempt: StageRun, mart: Mart) -> None:
    """Take some chunks of the history into a new mart.

    Its counters are neither published nor used for tags before it has all of the
    history; then all guests are enqueued.
    """
    kind = kinds.of(mart.name)
    for _ in range(initial_load.CHUNKS):
        ranges = row_chunks.first(
            attempt.conn,
            open_ranges(attempt.conn, mart.stage, [mart.upstream]),
            settings.palate_chunk_positions,
            mart.rows_table,
        )
        if not ranges:
            break
        with attempt.batch(ranges) as batch:
            kind.refresh(attempt.conn, settings, batch, is_shown=False)
    if open_ranges(attempt.conn, mart.stage, [mart.upstream]):
        found = initial_load.pending_of(attempt.conn, [mart.name])
        attempt.outcome.note = " ".join(str(item) for item in found)
        return
    with attempt.transaction():
        initial_load.finish(attempt.conn, mart.name)
        kind.complete(attempt.conn, settings)
        copy_log.keep(attempt.conn, settings, mart)
    attempt.outcome.note = f"{mart.name} has all of the history now."


def _repeat(
    settings: Settings, attempt: StageRun, mart: Mart, ranges: list[Range]
) -> None:
    attempt.outcome.examples += kinds.of(mart.name).repeat(
        attempt, settings, ranges, lambda: catch_up(settings, attempt, mart)
    )


def catch_up(
    settings: Settings, attempt: StageRun, mart: Mart, upstream: str | None = None
) -> None:
    """Take what the vault has and the mart has not taken yet, in chunks."""
    kind, is_shown = kinds.of(mart.name), attempt.tables is TableSet.LIVE
    while ranges := row_chunks.first(
        attempt.conn,
        open_ranges(attempt.conn, attempt.stage, [upstream or mart.upstream]),
        settings.palate_chunk_positions,
        mart.rows_table,
        attempt.tables,
    ):
        with attempt.batch(ranges) as batch:
            kind.refresh(
                attempt.conn, settings, batch, attempt.tables, is_shown=is_shown
            )


def compare_copies_anew(conn: Connection) -> None:
    """Let the next run of each copy compare all rows: marts were replaced."""
    copy_log.compare_anew(conn)


def rebuild(settings: Settings, name: str, caller: Caller) -> Outcome:
    """Make the whole mart anew from the vault, in one transaction.

    Readers see the old mart until it commits; they wait while it is written.
    """
    with _open_run(settings, name, caller) as (attempt, mart):
        # Watermarks and the rows must come from one snapshot.
        attempt.conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with attempt.batch([]) as batch:
            batch.ranges = [
                Range(item, 0, end)
                for item, end in watermarks(attempt.conn, mart.upstream).items()
                if end
            ]
            attempt.conn.execute(
                "DELETE FROM ops.watermarks WHERE stage = %s", (mart.stage,)
            )
            kinds.of(name).rebuild(attempt.conn, settings, batch)
        return attempt.outcome

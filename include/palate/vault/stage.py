"""The vault stage: staged positions become hubs, links and satellites.

A batch parses its messages once, into temporary tables, and loads every table from
them by the template of its kind. Loading a batch again adds nothing.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg

from palate.database import connect
from palate.engine import Caller, Outcome, StageRun, locks, open_run, progress
from palate.names import is_replay
from palate.positions import (
    Range,
    open_ranges,
    range_sets,
    row_chunks,
    watermarks,
)
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.tables import initial_load, registry
from palate.vault import clock
from palate.vault.definitions import load_vault
from palate.vault.load import load
from palate.vault.meaning import of_tables
from palate.vault.refused_share import check_share
from palate.vault.work_queue import WorkQueue

log = logging.getLogger(__name__)

# The most positions in one batch of a reload: a step that a person can follow.
_CALM = 20_000

# Below this size a second connection costs more than it saves.
_LEAST_PER_LOADER = 2_000

# Attempts at a batch while other sessions add the same keys.
_TRIES = 5


def reload_stage(area: Area) -> str:
    """Return the stage of a reload: it runs beside the vault, under its own lock."""
    return f"{area.vault}:reload"


def run(settings: Settings, area: Area, caller: Caller) -> Outcome:
    """Load what is staged and not in the vault yet, in chunks.

    A cleared task first loads its own ranges again, which only puts back what is
    missing. A backfill does so with its interval.

    :raises RefusedShareError: if much of a new batch was refused; it is loaded by then
    :raises SourceHeldError: if the LSNs of the area's source went back
    :raises DefinitionError: if a definition means something else than its table
    """
    if not caller.interval:
        return _run(settings, area, caller, is_repeat=True)
    outcome = Outcome(area.vault)
    outcome.include(reload(settings, area, caller))
    with connect(settings) as conn:
        is_open = open_ranges(conn, area.vault, area.upstream)
    if is_open:
        outcome.include(load_waiting(settings, area, caller))
    progress.end(settings, caller, reload_stage(area))
    return outcome


def load_waiting(settings: Settings, area: Area, caller: Caller) -> Outcome:
    """Load what is staged and not in the vault yet; repeat nothing.

    :raises RefusedShareError: as `run`
    """
    return _run(settings, area, caller, is_repeat=False)


def _run(settings: Settings, area: Area, caller: Caller, *, is_repeat: bool) -> Outcome:
    with open_run(settings, area.vault, caller) as attempt:
        registry.refuse_changed(attempt.conn, of_tables(area.name))
        own = progress.to_repeat(attempt) if is_repeat else []
        for ranges in range_sets.rounds(with_known_form(settings, area, own)):
            load_all(settings, area, attempt, ranges, is_repeat=True)
        if not is_repeat or not attempt.was_finished():
            waiting = open_ranges(attempt.conn, area.vault, area.upstream)
            known = with_known_form(settings, area, waiting)
            clock.check(attempt, settings, area, known)
            load_all(settings, area, attempt, known, is_repeat=False)
        check_share(attempt, settings)
        outcome = attempt.outcome
        own_tables = {item.table for item in load_vault(area.name).in_load_order}
        tables = [
            item.name
            for item in initial_load.pending(attempt.conn)
            if item.name in own_tables
        ]
    for table in tables:
        filled = _fill(settings, area, caller, table)
        outcome.note = f"{outcome.note} {filled}".strip()
    return outcome


def reload(settings: Settings, area: Area, caller: Caller) -> Outcome:
    """Load the planned positions of the caller's run again, beside live runs.

    What is missing is put back; existing rows must say what the messages say. It holds
    no lock that a live run needs: a row that was added meanwhile is left alone. What a
    killed attempt has done is not repeated.
    """
    with open_run(settings, reload_stage(area), caller) as attempt:
        registry.refuse_changed(attempt.conn, of_tables(area.name))
        plan = progress.begin(attempt)
        done = watermarks(attempt.conn, area.vault)
        left = progress.left(attempt, plan.below(done)) if plan else []
        for chunk in row_chunks.every(
            attempt.conn,
            with_known_form(settings, area, attempt.without_dropped(left)),
            min(settings.palate_chunk_positions, _CALM),
            row_chunks.MESSAGES,
        ):
            load_all(settings, area, attempt, chunk, is_repeat=True)
        return attempt.outcome


def with_known_form(settings: Settings, area: Area, ranges: list[Range]) -> list[Range]:
    """Leave out the topics whose form no setting has: their messages wait."""
    known = {*catalog.topics(settings, area), *area.feeds}
    unknown = sorted({item.log.topic for item in ranges} - known)
    if unknown:
        log.warning(
            "Messages of %s wait in STG: PALATE_TOPICS does not say which form they "
            "have. Put the topic back; it may be empty.",
            ", ".join(unknown),
        )
    return [item for item in ranges if item.log.topic in known]


def _fill(settings: Settings, area: Area, caller: Caller, table: str) -> str:
    """Load a table that was added later from the history, some chunks a run.

    New messages are loaded into it like into any other table.

    :return: how far it is
    """
    # A table's name is unique in the warehouse, so its stage needs no prefix.
    with open_run(settings, f"vault:{table}", caller) as attempt:
        for _ in range(initial_load.CHUNKS):
            waiting = open_ranges(attempt.conn, attempt.stage, [area.vault])
            if not waiting:
                initial_load.finish(attempt.conn, table)
                return f"{table} has all of the history now."
            ranges = row_chunks.first(
                attempt.conn,
                with_known_form(settings, area, waiting),
                settings.palate_chunk_positions,
                row_chunks.MESSAGES,
            )
            if not ranges:
                break
            _load_batch(settings, area, attempt, ranges, only=table)
        return " ".join(
            str(item) for item in initial_load.pending_of(attempt.conn, [table])
        )


def load_all(
    settings: Settings,
    area: Area,
    attempt: StageRun,
    waiting: list[Range],
    *,
    is_repeat: bool = False,
) -> None:
    """Load the ranges; replayed messages come last, in batches of their own.

    The parse relies on it: the other batches skip what was refused before.
    """
    for are_replays in (False, True):
        same = [item for item in waiting if is_replay(item.log.topic) == are_replays]
        _load_alike(settings, area, attempt, same, is_repeat)


def _load_alike(
    settings: Settings,
    area: Area,
    attempt: StageRun,
    waiting: list[Range],
    is_repeat: bool,
) -> None:
    """Load few positions in one batch, a backlog by parallel loaders.

    Each loader takes a chunk of one log at a time; no two loaders share a log. A chunk
    is cut by messages: offsets without any are passed over in one step. Two
    transactions may add the same new hub: the second one waits for the first. No
    deadlock: all loads lock tables and keys in the same order.
    """
    loaders = min(settings.palate_vault_lanes, len(waiting))
    size = sum(len(item) for item in waiting)
    if loaders < 2 or size < loaders * _LEAST_PER_LOADER:
        for ranges in row_chunks.every(
            attempt.conn,
            waiting,
            settings.palate_chunk_positions,
            row_chunks.MESSAGES,
        ):
            _load_batch(settings, area, attempt, ranges, is_repeat=is_repeat)
        return
    chunk = min(
        settings.palate_chunk_positions, max(size // (3 * loaders), _LEAST_PER_LOADER)
    )
    queue = WorkQueue(waiting, loaders)

    def work(run: StageRun) -> None:
        def cut(item: Range) -> Range:
            return row_chunks.cut(run.conn, item, chunk, row_chunks.MESSAGES)

        with queue.closing_on_error():
            while item := queue.take(cut):
                _load_batch(settings, area, run, [item], is_repeat=is_repeat)
                queue.done(item)

    with ThreadPoolExecutor(loaders) as pool, ExitStack() as stack:
        runs = [attempt] + [
            stack.enter_context(attempt.beside(settings)) for _ in range(loaders - 1)
        ]
        # A loader may be idle while another one is at a long log.
        stack.enter_context(locks.kept_awake(run.conn for run in runs))
        list(pool.map(work, runs))


def _load_batch(
    settings: Settings,
    area: Area,
    attempt: StageRun,
    ranges: list[Range],
    *,
    is_repeat: bool = False,
    only: str | None = None,
) -> None:
    """Load the ranges in one transaction.

    A key that another session commits meanwhile fails it; the next attempt sees it.
    """
    for tries_left in reversed(range(_TRIES)):
        is_new = not is_repeat and only is None and tries_left == _TRIES - 1
        try:
            with attempt.batch(list(ranges), is_repeat=is_repeat) as batch:
                load(
                    attempt.conn,
                    settings,
                    area,
                    batch,
                    only,
                    is_careful=not is_new,
                    tables=attempt.tables,
                )
            return
        except psycopg.errors.UniqueViolation as error:
            if not tries_left:
                raise
            key = error.diag.constraint_name
            log.info("Again, since another session has added a row: %s", key)

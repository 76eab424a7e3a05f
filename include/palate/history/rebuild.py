"""Vault and marts rebuilt from STG, beside the live tables (ADR 0016).

The same stages fill empty tables of the same names in other schemas, with their own
watermarks, while live runs go on. Then both are compared in one snapshot, a person
approves the differences, and one transaction swaps the new tables in. After any kill, a
repeat goes on from the watermarks.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from palate import marts, vault
from palate.database import Connection, connect
from palate.engine import Caller, Outcome, StageRun, locks, open_run
from palate.errors import (
    ApprovalNeededError,
    RebuildRefusedError,
    SettingsError,
    StageBusyError,
)
from palate.history import redefinition
from palate.history.compare_tables import TableFound, compare_tables
from palate.history.rebuild_report import RebuildReport, enter, read, read_open
from palate.marts import load_marts
from palate.outbox import counters, tags_waiting
from palate.positions import open_ranges
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.table_set import TableSet

log = logging.getLogger(__name__)

STAGE = "rebuild"

# How long readers may wait for the swap, and the swap for them, before it gives up.
_SWAP_WAIT = "5s"


def vault_stage(area: Area) -> str:
    """Return the stage that fills the new tables of an area's vault."""
    return area.stage(f"{STAGE}:vault")


def build(settings: Settings, caller: Caller) -> Outcome:
    """Fill the new tables as far as the live ones are; live runs go on meanwhile.

    Resumes an interrupted rebuild, if its statements were the same.

    :raises RebuildRefusedError: if STG can't give all rows, or something would be lost
    """
    with connect(settings) as conn, _explained_refusals():
        redefinition.check_files(conn)
        with conn.transaction():
            redefinition.bring_totals_along(conn)
            is_new = conn.execute(
                "SELECT ops.begin_rebuild(%s, %s, %s)",
                (caller.dag_id, caller.run_id, redefinition.statements_hash(settings)),
            ).fetchone()
            if is_new == (True,):
                redefinition.make_redefined(conn)
    outcome = _catch_up(settings, caller)
    with connect(settings) as conn:
        conn.execute("SELECT ops.analyze_rebuild()")
    return outcome


def compare(settings: Settings, caller: Caller) -> RebuildReport:
    """Compare the new tables with the live ones; record and return the differences.

    Live runs wait while both are brought to the same positions, not while they are
    compared.

    :raises RebuildRefusedError: if there is no rebuild under way
    """
    with connect(settings) as conn:
        rebuild_id = _open_rebuild(conn)
    found = _compare(settings, caller)
    with connect(settings) as conn:
        return enter(conn, rebuild_id, found)


def _compare(settings: Settings, caller: Caller) -> list[TableFound]:
    _catch_up(settings, caller)
    with ExitStack() as stack:
        with _holding_stages(settings, caller) as running:
            conn = stack.enter_context(connect(settings))
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            stack.enter_context(conn.transaction())
            conn.execute("SELECT 1")  # the snapshot that has both at the same positions
            for run in running:  # checks that no run has lost its lock until now
                with run.transaction():
                    pass
        return compare_tables(conn)


def approve(settings: Settings, caller: Caller) -> RebuildReport:
    """Record that a person has approved the differences."""
    with connect(settings) as conn:
        conn.execute(
            "UPDATE ops.rebuilds SET approved_dt = clock_timestamp()"
            " WHERE rebuild_id = %s AND compared_dt IS NOT NULL",
            (_open_rebuild(conn),),
        )
        log.info("Approved by %s, %s.", caller.dag_id, caller.run_id)
        return _report(conn)


def swap(
    settings: Settings, caller: Caller, *, is_approved: bool = False
) -> RebuildReport:
    """Replace the live tables by the new ones, in one transaction.

    An approval may take days, so the approved tables are compared once more before. A
    run that has swapped already does nothing.

    :param is_approved: whether a person has just approved the comparison
    :raises ApprovalNeededError: if they differ otherwise than a person has approved
    :raises StageBusyError: if somebody reads the live tables for too long
    """
    with connect(settings) as conn:
        if done := read(conn, caller.dag_id, caller.run_id, "swapped"):
            return done
        seen = _report(conn)
    if is_approved:
        seen = approve(settings, caller)
    if seen.differs:
        if not seen.is_approved:
            raise ApprovalNeededError(seen.sentence)
        more = seen.exceeded_by(_compare(settings, caller))
        if more:
            message = (
                f"More differs now than was approved, in {', '.join(more)}. Nothing "
                "was swapped: compare again, and look at the new report."
            )
            raise ApprovalNeededError(message)
    _catch_up(settings, caller)
    with (
        _holding_stages(settings, caller) as running,
        connect(settings) as conn,
        _explained_refusals(),
        conn.transaction(),
    ):
        for run in running:
            run.with_connection(conn).prove()
        _swap(conn, settings, seen)
    with connect(settings) as conn:
        return read(conn, caller.dag_id, caller.run_id, "swapped") or seen


def discard(settings: Settings, caller: Caller | None = None) -> bool:
    """Drop the new tables; the live ones stay. Return whether there were any.

    :param caller: whose rebuild it must be; None for anybody's
    """
    with connect(settings) as conn:
        is_there = read_open(conn, caller) is not None
        if caller and not is_there:
            return False
        with _explained_refusals(), conn.transaction():
            conn.execute(f"SET LOCAL lock_timeout = '{_SWAP_WAIT}'")
            conn.execute("SELECT ops.discard_rebuild()")
        return is_there


def progress(conn: Connection) -> tuple[int, int]:
    """Return how many positions the new vault has, and how many the live one."""
    return conn.execute(
        "SELECT coalesce(sum(taken) FILTER (WHERE stage = ANY(%s)), 0)::bigint,"
        " coalesce(sum(taken) FILTER (WHERE stage = ANY(%s)), 0)::bigint"
        " FROM (SELECT stage, next_offset - first_offset AS taken"
        " FROM ops.watermarks) AS w",
        (
            [vault_stage(area) for area in _areas()],
            [area.vault for area in _areas()],
        ),
    ).fetchone() or (0, 0)


def _swap(conn: Connection, settings: Settings, seen: RebuildReport) -> None:
    conn.execute(f"SET LOCAL lock_timeout = '{_SWAP_WAIT}'")
    names = list(load_marts()) if seen.marts_differ else []
    if settings.palate_publish_counters_to:
        for name in names:  # also for guests that leave the mart
            counters.enter_all_counters(conn, name)
    conn.execute("SELECT ops.swap_rebuild()")
    marts.stage.compare_copies_anew(conn)
    redefinition.accept(conn)
    if names:
        conn.execute(tags_waiting.ALL_GUESTS)
    if settings.palate_publish_counters_to:
        for name in names:
            counters.enter_all_counters(conn, name)


def _catch_up(settings: Settings, caller: Caller) -> Outcome:
    """Load into the new tables what the live ones have, and count it."""
    outcome = Outcome(STAGE)
    for area in _areas():
        outcome.include(_load_vault(settings, area, caller))
    for mart in load_marts().values():
        stage = f"{STAGE}:{mart.name}"
        with open_run(settings, stage, caller, TableSet.SHADOW) as attempt:
            upstream = vault_stage(catalog.load_area(mart.area))
            marts.stage.catch_up(settings, attempt, mart, upstream)
            outcome.include(attempt.outcome)
    return outcome


def _load_vault(settings: Settings, area: Area, caller: Caller) -> Outcome:
    stage = vault_stage(area)
    with open_run(settings, stage, caller, TableSet.SHADOW) as attempt:
        while waiting := open_ranges(attempt.conn, stage, [area.vault]):
            known = vault.stage.with_known_form(settings, area, waiting)
            if len(known) < len(waiting):
                message = (
                    "A rebuild needs every topic that the vault has messages of, and "
                    "PALATE_TOPICS does not say which form some have; the warning "
                    "names them. Put them back; they may be empty."
                )
                raise SettingsError(message)
            vault.stage.load_all(settings, area, attempt, known)
        return attempt.outcome


def _areas() -> list[Area]:
    """Return all areas: a vault is one, and its tables are shared."""
    return [catalog.load_area(name) for name in catalog.area_names()]


@contextmanager
def _holding_stages(settings: Settings, caller: Caller) -> Iterator[list[StageRun]]:
    """Hold all stages that write the vault or a mart, all at the same positions.

    This is short if the new tables have caught up just before.
    """
    with ExitStack() as stack:
        running: dict[str, StageRun] = {}
        for stage in (
            *(vault.stage.reload_stage(area) for area in _areas()),
            *(mart.stage for mart in load_marts().values()),
            *(area.vault for area in _areas()),  # last: nothing may wait long for them
        ):
            held = [run.conn for run in running.values()]
            with locks.kept_awake(held):  # each may have to be waited for
                running[stage] = stack.enter_context(open_run(settings, stage, caller))
        stack.enter_context(locks.kept_awake(run.conn for run in running.values()))
        for mart in load_marts().values():
            marts.stage.catch_up(settings, running[mart.stage], mart)
        _catch_up(settings, caller)
        yield list(running.values())


@contextmanager
def _explained_refusals() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise RebuildRefusedError(str(error.diag.message_primary)) from None
    except (
        psycopg.errors.DependentObjectsStillExist,
        psycopg.errors.InvalidTableDefinition,
        psycopg.errors.InsufficientPrivilege,
    ) as error:
        detail = error.diag.message_detail or ""
        message = (
            f"The rebuilt tables can't replace the live ones: "
            f"{error.diag.message_primary}. {detail} Nothing was changed. Drop what "
            "is in the way, or let the owner of the warehouse do it; then repeat."
        )
        raise RebuildRefusedError(message) from None
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        message = (
            f"Somebody has been reading the vault or a mart for {_SWAP_WAIT}. Nothing "
            "was changed; what is built stays, and another attempt goes on with it."
        )
        raise StageBusyError(message) from None


def _open_rebuild(conn: Connection) -> int:
    found = read_open(conn)
    if found is None:
        message = "There is no rebuild under way: begin one (docs/operations.md)."
        raise RebuildRefusedError(message)
    return found


def _report(conn: Connection) -> RebuildReport:
    _open_rebuild(conn)
    found = read(conn)
    if found is None:
        message = "The rebuild was not compared yet: do that first."
        raise RebuildRefusedError(message)
    return found

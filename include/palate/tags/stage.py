"""The tags: who reaches the threshold of a rule (contract, section 4; ADR 0013).

Rules and counters change independently. What a change affects waits as pairs of guest
and tag in ``ops.tags_waiting``: the marts enter guests whose counters moved, this stage
those whom a changed rule affects. They are taken in pieces and evaluated by one query;
the reconciliation runs the same one for all pairs.
"""

from functools import lru_cache
from itertools import groupby
from textwrap import indent
from typing import Any

import psycopg

from palate.database import ClientCursor, Connection, connect
from palate.engine import Batch, Caller, Outcome, StageRun, open_run, progress
from palate.errors import DefinitionError, StageBusyError
from palate.marts import Mart, load_marts
from palate.names import HUB_KEY_NAMESPACE
from palate.outbox import tag_states, tags_waiting
from palate.positions import Range, make_ranges, open_ranges, row_chunks
from palate.settings import Settings
from palate.sources import catalog
from palate.sql import count_rows, execute, render
from palate.tables import initial_load

_AREA = "food"
_SQL = f"areas/{_AREA}/tags"

STAGE = "tags"
VALUES = {"namespace": HUB_KEY_NAMESPACE}


def run(settings: Settings, caller: Caller) -> Outcome:
    """Add and remove the tags that changed counters and rules call for.

    A cleared task evaluates the guests of its own ranges again. While a mart of theirs
    is being filled from the history, tags stay as they are.

    :raises StageBusyError: if a mart is being rebuilt for longer than
        ``PALATE_LOCK_WAIT`` seconds
    """
    with open_run(settings, STAGE, caller) as attempt:
        try:
            _run_stage(settings, attempt)
        except psycopg.errors.LockNotAvailable:
            message = (
                "Stage tags waits for a mart that is being rebuilt. Nothing is lost: "
                "the next run takes what is waiting."
            )
            raise StageBusyError(message) from None
        return attempt.outcome


def rebuild(settings: Settings, caller: Caller) -> Outcome:
    """Evaluate every guest and tag anew; right tags stay as they are."""
    with connect(settings) as conn:
        conn.execute(tags_waiting.ALL_GUESTS)
    return run(settings, caller)


def differences(
    settings: Settings, examples: int = 20
) -> tuple[int, list[dict[str, Any]]]:
    """Compare the tags with counters and rules; return how many differ, and some.

    What is waiting shows as a difference: run the stage first.
    """
    with connect(settings) as conn, conn.transaction():
        return count_rows(conn, comparison(is_behind=False), VALUES, examples)


@lru_cache(maxsize=1)
def marts() -> dict[str, Mart]:
    """Return the mart that the rules of each kind use."""
    found: dict[str, Mart] = {}
    for mart in load_marts(_AREA).values():
        if mart.tag_kind and mart.tag_kind in found:
            message = (
                f"sql/{mart.folder}/mart.yaml: tag_kind {mart.tag_kind} is that of "
                f"{found[mart.tag_kind].name} already. Only one mart can have it."
            )
            raise DefinitionError(message)
        if mart.tag_kind:
            found[mart.tag_kind] = mart
    return found


@lru_cache(maxsize=1)
def statements() -> dict[str, str]:
    """Return the statements of the stage, by their file names."""
    conditions = render(f"{_SQL}/conditions.sql")
    names = (
        *("changed_rules", "drop_conditions", "add_conditions"),
        *("enqueue_guests", "enqueued_done", "forget_dropped"),
        *("enqueue_differing", "take", "lost", "gained"),
    )
    return {
        name: render(
            f"{_SQL}/{name}.sql",
            conditions=conditions,
            applied_conditions=applied_conditions(),
            due_to_guests=_due(applied_conditions(), guests="guests"),
            marts=marts(),
        )
        for name in names
    } | {
        "due": "CREATE TEMP TABLE due ON COMMIT DROP AS\n"
        + _due(applied_conditions(), concerned="concerned")
    }


def applied_conditions() -> str:
    """Return the query for the conditions that the stage has applied."""
    return render(f"{_SQL}/applied_conditions.sql")


@lru_cache(maxsize=2)
def comparison(*, is_behind: bool) -> str:
    """Return the query for the tags that differ from those due, with ``VALUES``.

    :param is_behind: leave out what waits to be evaluated
    """
    conditions = render(f"{_SQL}/conditions.sql")
    return render(
        "areas/food/checks/tags/equal_the_counters.sql",
        due=_due(conditions),
        is_behind=is_behind,
    )


def has_pending(conn: Connection) -> bool:
    """Return whether any guest waits to be evaluated."""
    row = conn.execute("SELECT EXISTS (SELECT FROM ops.tags_waiting)").fetchone()
    return bool(row and row[0])


def rules_pending(conn: Connection) -> bool:
    """Return whether rules changed whose guests are not enqueued yet."""
    return any(_run(conn, "changed_rules").fetchone() or ())


def _run_stage(settings: Settings, attempt: StageRun) -> None:
    new = initial_load.pending_of(
        attempt.conn, [mart.name for mart in marts().values()]
    )
    if new:
        attempt.outcome.note = f"Tags stay as they are. {new[0]}"
        return
    for ranges in row_chunks.every(
        attempt.conn,
        progress.to_repeat(attempt),
        settings.palate_chunk_positions,
        catalog.area_with(settings, STAGE).rows_table,
    ):
        with attempt.batch(ranges, is_repeat=True) as batch:
            _enqueue_again(attempt.conn, batch)
    _follow_rules(attempt)
    while _evaluate_waiting(attempt, settings.palate_chunk_positions):
        pass


def _due(
    conditions: str, *, concerned: str | None = None, guests: str | None = None
) -> str:
    """Return the query for which guest must hold which tag.

    :param concerned: the relation of the pairs of guest and tag in question; else all
    :param guests: the relation of the guests in question; else all
    """
    return render(
        f"{_SQL}/due.sql",
        conditions=f"(\n{indent(conditions, '    ')}\n)",
        concerned=concerned,
        guests=guests,
        marts=marts(),
    )


def _follow_rules(attempt: StageRun) -> None:
    """Apply changed rules; enqueue the guests whom a change affects."""
    conn = attempt.conn
    added, dropped, is_unfinished = _run(conn, "changed_rules").fetchone() or (
        0,
        0,
        False,
    )
    if added or dropped:
        with attempt.batch([], has_ranges=False) as batch:
            # A transaction that counted without a new condition must be visible to the
            # search for its guests: see sql/engine/contributions/keep_conditions.sql.
            conn.execute(
                "SELECT pg_advisory_xact_lock("
                "hashtextextended('palate tag conditions', 0))"
            )
            batch.counts["conditions_dropped"] += _run(conn, "drop_conditions").rowcount
            batch.counts["conditions_added"] += _run(conn, "add_conditions").rowcount
    if added or dropped or is_unfinished:
        with attempt.batch([], has_ranges=False) as batch:
            conn.execute("SET LOCAL enable_seqscan = off")
            everything = conn.execute(
                "DELETE FROM ops.tags_waiting WHERE user_id IS NULL"
            ).rowcount
            values = {"everything": everything > 0}
            batch.counts["waiting"] += _run(conn, "enqueue_guests", values).rowcount
            _run(conn, "enqueued_done")
            _run(conn, "forget_dropped")


def _evaluate_waiting(attempt: StageRun, limit: int) -> bool:
    """Evaluate a piece of the queue; return whether there may be more."""
    conn = attempt.conn
    with attempt.batch([], has_ranges=False) as batch:
        conn.execute("SET LOCAL enable_seqscan = off")
        # Before the queue is read, so that it has every change of these positions.
        counted = _counted_ranges(conn)
        conn.execute(
            'CREATE TEMP TABLE concerned (user_id uuid, tag text COLLATE "C")'
            " ON COMMIT DROP"
        )
        taken = _run(conn, "take", {"limit": limit}).rowcount
        if taken < limit:
            batch.ranges = counted
        if taken:
            batch.counts["judged"] += taken
            _evaluate(conn, batch)
    return taken == limit


def _evaluate(conn: Connection, batch: Batch) -> None:
    conn.execute("ANALYZE concerned")
    conn.execute("CREATE TEMP TABLE changed_guests (user_id uuid) ON COMMIT DROP")
    values = {"load_dt": batch.load_dt}
    execute(conn, statements()["due"])
    conn.execute("ANALYZE due")
    for name in ("lost", "gained"):
        batch.counts[name] += _run(conn, name, values).rowcount
    if batch.counts["lost"] or batch.counts["gained"]:
        tag_states.enter_tags(conn, batch)


def _enqueue_again(conn: Connection, batch: Batch) -> None:
    conn.execute("SET LOCAL enable_seqscan = off")
    make_ranges(conn, batch.ranges)
    batch.counts["waiting"] += _run(conn, "enqueue_differing").rowcount


def _counted_ranges(conn: Connection) -> list[Range]:
    """Return what all marts with tags have counted since this stage's last run."""
    stages = [mart.stage for mart in marts().values()]
    found = []
    for _, same_log in groupby(open_ranges(conn, STAGE, stages), lambda r: r.log):
        ranges = list(same_log)
        if len(ranges) == len(stages):
            found.append(min(ranges, key=lambda item: item.end))
    return found


def _run(
    conn: Connection, name: str, values: dict[str, Any] | None = None
) -> ClientCursor:
    return execute(conn, statements()[name], VALUES | (values or {}))

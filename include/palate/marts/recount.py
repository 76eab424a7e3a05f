"""Recount the rows of some guests from the vault (ADR 0015).

A refresh moves counters by what it has counted. A recount counts from the vault alone,
so it also finds what was deleted or changed manually.

The guests and their orders are gathered once, without any lock, into temporary tables.
They are counted in chunks, by the guests' keys; the ledger keeps the last guest, so
that the next attempt of a killed task goes on after it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from palate.database import Connection
from palate.engine import Batch, StageRun, progress
from palate.marts import doubled, kept_totals
from palate.marts.counted_mart import CountedMart
from palate.marts.gathered import NOBODY, Work, add_since, gather, now, versions_table
from palate.marts.mart_sql import MartSql
from palate.names import EXAMPLES
from palate.outbox import tags_waiting
from palate.positions import Range, open_ranges, range_sets
from palate.settings import Settings
from palate.sql import Step, execute, execute_step
from palate.text import row_as_text

log = logging.getLogger(__name__)

_SCAN = "scanned_orders"

Steps = Sequence[Step]


# The first chunk, of all guests.
TRIED_WITH = {
    "done_until": NOBODY,
    "orders": 1,
    "chunk": 0,
    "load_dt": None,
}


def recount(
    attempt: StageRun,
    settings: Settings,
    mart: CountedMart,
    ranges: Iterable[Range],
    steps: Steps,
    catch_up: Callable[[], None],
) -> list[dict[str, Any]]:
    """Correct the mart's rows of all guests whom orders of these ranges name.

    Right rows stay as they are. Between two chunks other runs of the stage go first.
    Every version of every order is read once, not once per chunk.

    :param steps: the statements of a refresh
    :param catch_up: counts what the mart has not counted yet
    :return: some of the wrong counters, and by how much they were wrong
    """
    examples: list[dict[str, Any]] = []
    planned = range_sets.merged(ranges)
    if not planned:
        return examples
    statements = recount_statements(mart, steps)
    done = progress.guests_done(attempt)
    work: Work | None = None
    while True:
        # A rebuild may have swapped the tables meanwhile.
        if work is None or work.table != versions_table(attempt.conn, mart):
            with attempt.letting_others_run(settings):
                work = gather(attempt.conn, mart, planned, statements, done)
        if not work.parts:
            break
        part = work.parts[0]
        catch_up()
        if _recount_part(attempt, settings, mart, work, statements, examples):
            done = part.until
            del work.parts[0]
            attempt.yield_lock(settings)
    for item in planned:
        start, end = attempt.outcome.ranges.get(item.log, (item.start, item.end))
        attempt.outcome.ranges[item.log] = (min(start, item.start), max(end, item.end))
    return examples


def recount_statements(mart: CountedMart, steps: Steps) -> dict[str, list[Step]]:
    """Return the statements of each part of a recount, in order."""
    sql = MartSql(mart)
    by_name = {one.name: one for one in steps}
    scan = sql.step("recount_touched", _SCAN)
    counted = [
        by_name["new_orders"],
        sql.step("recount_orders"),
        sql.step(
            "recounted_rows",
            query=sql.recomputed_of("guest_orders", sql.kept_reference),
        ),
        sql.step("recount_deltas", "corrections"),
        by_name["applied"],
        *([sql.step("recount_labels", "relabelled")] if mart.label else []),
        *(by_name[name] for name in ("old_orders", "unchanged_orders")),
        *(by_name[name] for name in ("kept", "dropped")),
    ]
    found = {
        "gather": [by_name["batch_orders"]],
        "since": [by_name["batch_orders"], sql.step("gather_since", "gathered_since")],
        "dishes": [],
        "of_dishes": [],
        "chunk": [sql.step("chunk_guests"), sql.step("chunk_orders"), *counted],
    }
    if mart.reference:
        found["gather"] += [
            sql.step("batch_lookups"),
            sql.step("recount_products"),
            sql.step("gather_products"),
        ]
        looked_up = ("reference_now", "changed_products")
        found["dishes"] = [
            sql.step("planned_products"),
            *(by_name[name] for name in looked_up),
            *(by_name[name] for name in ("dropped_reference", "added_reference")),
        ]
        if mart.reference.changes == "orders":
            # Their counters are corrected with the reference of their dishes, at once.
            found["of_dishes"] = [sql.step("recount_guests"), scan, *counted]
    if mart.guest:
        found["gather"] += [sql.step("gather_guests"), sql.step("gather_orders")]
        found["gather"] += [sql.step("gather_chunks"), sql.step("gather_waiting")]
    else:
        # Rows belong to no guest: all orders are counted, in one chunk.
        found["gather"].append(sql.step("gather_chunks"))
        found["since"] = []
        found["chunk"] = [sql.step("chunk_guests"), scan, *counted]
    return found


def tried_statements(mart: CountedMart, steps: Steps) -> tuple[Step, ...]:
    """Return the statements of a recount that one transaction can try, in order.

    They expect the parameters ``TRIED_WITH``, and ``batch_ranges``.
    """
    found = recount_statements(mart, steps)
    # The dishes' first statement keeps what was gathered, which exists in this case.
    return (*found["gather"], *found["dishes"][1:], *found["chunk"])


def _recount_part(
    attempt: StageRun,
    settings: Settings,
    mart: CountedMart,
    work: Work,
    statements: dict[str, list[Step]],
    examples: list[dict[str, Any]],
) -> bool:
    """Count one part anew; return False if the vault was ahead of the mart."""
    conn, part = attempt.conn, work.parts[0]
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with attempt.batch([], is_repeat=True, has_ranges=False) as batch:
            # In this transaction's snapshot the mart must have counted all of the
            # vault.
            if open_ranges(conn, mart.stage, [mart.upstream]):
                return False
            since, batch_id = now(conn)
            conn.execute("SET LOCAL enable_seqscan = off")
            batch.done_until = part.until
            batch.counts["guests"] = part.guests
            batch.guests = work.guests
            if part.chunk is None:
                _recount_dishes(conn, statements, batch, examples, mart)
            else:
                add_since(conn, mart, work, statements["since"], part.chunk)
                values = {"chunk": part.chunk}
                made = _run(conn, mart, statements["chunk"], values)
                _count(conn, mart, batch, made, examples)
            if batch.counts["corrected"] and mart.tag_kind:
                conn.execute(tags_waiting.ALL_GUESTS)
            if batch.counts["corrected"] or batch.counts["corrected_orders"]:
                kept_totals.doubt(conn, mart.name)
    finally:
        conn.isolation_level = None
    if part.chunk is not None:
        work.since, work.batch_id = since, batch_id
    return True


def _recount_dishes(
    conn: Connection,
    statements: dict[str, list[Step]],
    batch: Batch,
    examples: list[dict[str, Any]],
    mart: CountedMart,
) -> None:
    """Look up the dishes of the plan again; recount guests with a changed one."""
    changed = _run(conn, mart, statements["dishes"])["changed_products"]
    batch.counts["corrected_reference"] = changed
    if changed and (steps := statements["of_dishes"]):
        _count(conn, mart, batch, _run(conn, mart, steps), examples)


def _run(
    conn: Connection,
    mart: CountedMart,
    steps: Steps,
    values: dict[str, Any] | None = None,
) -> Counter[str]:
    made: Counter[str] = Counter()
    for one in steps:
        # The versions have no index by guest: all of them are read.
        is_scan = one.name == _SCAN
        conn.execute(f"SET LOCAL enable_seqscan = {'on' if is_scan else 'off'}")
        made[one.name] = execute_step(conn, one, values)
        if one.makes == "recounted":
            doubled.refuse(conn, mart, "recounted")
    return made


def _count(
    conn: Connection,
    mart: CountedMart,
    batch: Batch,
    made: Counter[str],
    examples: list[dict[str, Any]],
) -> None:
    """Add up what a part found, and keep some of the wrong counters."""
    batch.counts["compared"] = made["recounted"]
    batch.counts["corrected"] = made["corrections"] + made["relabelled"]
    # Left here are orders that were counted wrongly.
    (orders,) = conn.execute(
        "SELECT count(*) FROM (SELECT order_id FROM new_orders"
        " UNION SELECT order_id FROM old_orders) AS changed"
    ).fetchone() or (0,)
    batch.counts["corrected_orders"] = orders
    if made["corrections"] and len(examples) < EXAMPLES:
        cursor = execute(
            conn,
            f"SELECT {', '.join(mart.keys)}, order_cnt, pieces_cnt, amount FROM deltas"
            f" ORDER BY {', '.join(mart.keys)} LIMIT {EXAMPLES - len(examples)}",
        )
        cursor.row_factory = dict_row
        for row in cursor.fetchall():
            log.warning("%s was wrong by %s", mart.name, row_as_text(row))
            examples.append(row)

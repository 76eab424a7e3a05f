"""A mart's rows of some guests against what follows from the vault (ADR 0015).

The refresh of a mart moves counters by what it has counted. Here they are counted from
the vault alone, so that what was deleted or changed by hand is found as well.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from psycopg.rows import dict_row

from palate import doubled
from palate.batch_ranges import make_ranges
from palate.database import Connection
from palate.intervals import rounds
from palate.mart_definitions import ALL_TAGS_WAIT, Mart
from palate.names import DICTIONARY_FEED, EXAMPLES
from palate.positions import Range, first, open_ranges, without
from palate.readable import row_as_text
from palate.render import Step, execute, execute_step
from palate.settings import Settings
from palate.stage import Batch, StageRun

log = logging.getLogger(__name__)

# Positions in one transaction: a live run waits for the stage at most for so many.
_CHUNK = 20_000
_UPSTREAM = "vault"

Steps = tuple[Step, ...]


def recount(
    attempt: StageRun,
    settings: Settings,
    mart: Mart,
    ranges: Iterable[Range],
    steps: Steps,
    catch_up: Callable[[], None],
) -> list[dict[str, Any]]:
    """Correct the mart's rows of all guests whom orders of these ranges name.

    Right rows stay as they are. Between two chunks other runs of the stage go first.
    A chunk reads every version of every order once, whatever its size.

    :param steps: the statements of a refresh
    :param catch_up: counts what the vault has and the mart has not counted yet
    :return: some of the counters that were wrong, and by how much
    """
    examples: list[dict[str, Any]] = []
    attempt.conn.execute(
        "CREATE TEMP TABLE recounted_guests (h_user_pk uuid PRIMARY KEY)"
    )
    for waiting in rounds(ranges):
        while waiting:
            chunk = first(waiting, _CHUNK)
            catch_up()
            if _recount_chunk(attempt, settings, mart, chunk, steps, examples):
                waiting = without(waiting, chunk)
                attempt.give_way(settings)
    attempt.conn.execute("DROP TABLE recounted_guests")
    for row in examples:
        log.warning("%s was wrong by %s", mart.name, row_as_text(row))
    return examples


def _recount_chunk(
    attempt: StageRun,
    settings: Settings,
    mart: Mart,
    chunk: list[Range],
    steps: Steps,
    examples: list[dict[str, Any]],
) -> bool:
    """Recount one chunk; return False if the vault was ahead of the mart meanwhile."""
    attempt.conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with attempt.batch(chunk, is_repeat=True) as batch:
            # Vault and mart must be at one point in this transaction's snapshot.
            if open_ranges(attempt.conn, mart.stage, [_UPSTREAM]):
                batch.ranges = []
                return False
            _recount(attempt.conn, settings, mart, batch, steps, examples)
    finally:
        attempt.conn.isolation_level = None
    return True


def recount_statements(mart: Mart, steps: Steps) -> list[Step]:
    """Return the statements of a recount, in order."""
    own = [
        mart.step("recount_guests"),
        mart.step("recount_touched"),
        mart.step("recount_orders"),
        mart.step(
            "recounted_rows",
            query=mart.recomputed_of("guest_orders", mart.kept_reference),
        ),
        mart.step("recount_deltas"),
    ]
    looked_up: tuple[str, ...] = ()
    if mart.reference:
        own.append(mart.step("recount_products"))
        looked_up = ("affected_products", "reference_now", "changed_products")
        looked_up += ("dropped_reference", "added_reference")
    if mart.label:
        own.append(mart.step("recount_labels", "relabelled"))
    order = (
        *(("batch_menu_products",) if mart.reference else ()),
        *("batch_orders", *looked_up),
        *("touched_guests", "touched_orders", "new_orders", "guest_orders"),
        *("recounted", "deltas", "applied"),
        *(("relabelled",) if mart.label else ()),
        *("old_orders", "unchanged_orders", "kept", "dropped"),
    )
    by_name = {one.name: one for one in (*steps, *own)}
    return [by_name[name] for name in order]


def _recount(
    conn: Connection,
    settings: Settings,
    mart: Mart,
    batch: Batch,
    steps: Steps,
    examples: list[dict[str, Any]],
) -> None:
    made: Counter[str] = Counter()
    conn.execute("SET LOCAL enable_seqscan = off")
    make_ranges(conn, settings, batch.ranges)
    for one in recount_statements(mart, steps):
        if one.name == "touched_orders":
            # The versions have no index by guest: all of them are read.
            conn.execute("SET LOCAL enable_seqscan = on")
        values = {"dictionary_feed": DICTIONARY_FEED}
        made[one.name] = execute_step(conn, one, values)
        if one.makes == "recounted":
            doubled.refuse(conn, mart, "recounted")
    conn.execute(
        "INSERT INTO recounted_guests SELECT h_user_pk FROM touched_guests"
        " ON CONFLICT DO NOTHING"
    )
    corrected = made["deltas"] + made["relabelled"]
    if corrected and mart.tag_kind:
        conn.execute(ALL_TAGS_WAIT)
    batch.counts["guests"] = made["touched_guests"]
    batch.counts["compared"] = made["recounted"]
    batch.counts["corrected"] = corrected
    # What is left there was not counted as it counts.
    (orders,) = conn.execute(
        "SELECT count(*) FROM (SELECT order_id FROM new_orders"
        " UNION SELECT order_id FROM old_orders) AS changed"
    ).fetchone() or (0,)
    batch.counts["corrected_orders"] = orders
    batch.counts["corrected_reference"] = made["changed_products"]
    if made["deltas"] and len(examples) < EXAMPLES:
        cursor = execute(
            conn,
            f"SELECT {', '.join(mart.keys)}, order_cnt, pieces_cnt, amount FROM deltas"
            f" ORDER BY {', '.join(mart.keys)} LIMIT {EXAMPLES - len(examples)}",
        )
        cursor.row_factory = dict_row
        examples += cursor.fetchall()

"""The marts: counters kept by contributions (ADR 0005).

A mart's ``contributions.sql`` says what a set of orders adds. From it come the
refresh (what the touched orders had added is taken out, what they add now is put
in), the rebuild and the reconciliation. The cost of a refresh depends on the batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import psycopg

from palate.database import Connection, connect
from palate.engine import progress
from palate.engine.outcome import Batch, Caller, Outcome
from palate.engine.stage import StageRun, open_run
from palate.errors import DefinitionError
from palate.marts import doubled
from palate.marts.definitions import ALL_TAGS_WAIT, Mart, load_marts
from palate.marts.meaning import of_mart
from palate.marts.recount import recount
from palate.names import DICTIONARY_FEED
from palate.positions import row_chunks as chunks
from palate.positions.batch_ranges import make_ranges
from palate.positions.ranges import Range
from palate.positions.row_chunks import Rows
from palate.positions.watermarks import open_ranges, watermarks
from palate.publish import messages as exchange
from palate.settings import Settings
from palate.sql import Step, count_rows, execute_step, render
from palate.table_set import Place
from palate.tables import initial_load as filling
from palate.tables.registry import refuse_changed
from palate.vault import stage as vault

_FOR_TAGS = ("conditions_kept", "waiting_for_tags")


def run(settings: Settings, name: str, caller: Caller) -> Outcome:
    """Count what the vault has and the mart has not counted yet, in chunks.

    A cleared task, and a backfill, count the guests of their own ranges anew; what was
    right stays as it is.

    :raises DefinitionError: if its folder means something else than the mart
    """
    if caller.interval:
        outcome = reload(settings, name, caller)
        progress.end(settings, caller, load_marts()[name].stage)
        return outcome
    with _open_run(settings, name, caller) as (attempt, mart):
        if filling.among(attempt.conn, [name]):
            _fill(settings, attempt, mart)
        elif attempt.was_finished():
            _recount(settings, attempt, mart, progress.to_repeat(attempt))
        else:
            catch_up(settings, attempt, mart)
        return attempt.outcome


def reload(settings: Settings, name: str, caller: Caller) -> Outcome:
    """Count the guests of the positions anew that the caller's run has planned.

    What an attempt that was killed has done is not done again.
    """
    with _open_run(settings, name, caller) as (attempt, mart):
        if filling.among(attempt.conn, [name]):
            _fill(settings, attempt, mart)
        else:
            _reload(settings, attempt, mart)
        return attempt.outcome


@contextmanager
def _open_run(
    settings: Settings, name: str, caller: Caller
) -> Iterator[tuple[StageRun, Mart]]:
    """Begin a run of a mart whose folder means what the mart was made from.

    :raises DefinitionError: if it means something else, or was taken away
    """
    mart = load_marts().get(name)
    if mart is None:
        message = (
            f"sql/cdm/{name} is not there any more, so nothing is counted. Its task "
            f"goes with the next parse of the DAGs, its tables by `palate drop {name}`."
        )
        raise DefinitionError(message)
    with open_run(settings, mart.stage, caller) as attempt:
        refuse_changed(attempt.conn, [of_mart(name)])
        yield attempt, mart


def _reload(settings: Settings, attempt: StageRun, mart: Mart) -> None:
    catch_up(settings, attempt, mart)
    plan = progress.begin(attempt)
    if plan:
        done = watermarks(attempt.conn, mart.stage)
        _recount(settings, attempt, mart, plan.below(done))


def _fill(settings: Settings, attempt: StageRun, mart: Mart) -> None:
    """Count some chunks of the history into a mart that is new.

    Nobody is told of its counters before it has all of them: then all are looked at.
    """
    for _ in range(filling.CHUNKS):
        ranges = chunks.first(
            attempt.conn,
            open_ranges(attempt.conn, mart.stage, [vault.STAGE]),
            settings.palate_chunk_positions,
            Rows.VERSIONS,
        )
        if not ranges:
            break
        with attempt.batch(ranges) as batch:
            refresh(attempt.conn, settings, mart, batch, is_shown=False)
    if open_ranges(attempt.conn, mart.stage, [vault.STAGE]):
        found = filling.among(attempt.conn, [mart.name])
        attempt.outcome.note = " ".join(str(item) for item in found)
        return
    with attempt.transaction():
        filling.end(attempt.conn, mart.name)
        let_all_be_published(attempt.conn, settings, mart.name)
        if mart.tag_kind:
            attempt.conn.execute(ALL_TAGS_WAIT)
    attempt.outcome.note = f"{mart.name} has all of the history now."


def _recount(
    settings: Settings, attempt: StageRun, mart: Mart, ranges: list[Range]
) -> None:
    attempt.outcome.examples += recount(
        attempt,
        settings,
        mart,
        ranges,
        refresh_statements(mart.name),
        lambda: catch_up(settings, attempt, mart),
    )


def catch_up(
    settings: Settings, attempt: StageRun, mart: Mart, upstream: str = vault.STAGE
) -> None:
    """Count what the vault has and the mart has not counted yet, in chunks."""
    while ranges := chunks.first(
        attempt.conn,
        open_ranges(attempt.conn, attempt.stage, [upstream]),
        settings.palate_chunk_positions,
        Rows.VERSIONS,
        attempt.place,
    ):
        with attempt.batch(ranges) as batch:
            is_shown = attempt.place is Place.LIVING
            refresh(
                attempt.conn, settings, mart, batch, attempt.place, is_shown=is_shown
            )


def rebuild(settings: Settings, name: str, caller: Caller) -> Outcome:
    """Count everything that the vault has anew, in one transaction.

    Readers see the old mart until it commits; they wait while it is written.
    """
    with _open_run(settings, name, caller) as (attempt, mart):
        # The watermarks and what they stand for must come from one snapshot.
        attempt.conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with attempt.batch([]) as batch:
            batch.ranges = [
                Range(item, 0, end)
                for item, end in watermarks(attempt.conn, vault.STAGE).items()
                if end
            ]
            attempt.conn.execute(
                "DELETE FROM ops.watermarks WHERE stage = %s", (mart.stage,)
            )
            let_all_be_published(attempt.conn, settings, name)  # who leaves, too
            for one in rebuild_statements(name):
                batch.counts[one.name] += execute_step(attempt.conn, one)
                if one.makes == "recomputed":
                    doubled.refuse(attempt.conn, mart, "recomputed")
            let_all_be_published(attempt.conn, settings, name)
        return attempt.outcome


def refresh(
    conn: Connection,
    settings: Settings,
    mart: Mart,
    batch: Batch,
    place: Place = Place.LIVING,
    *,
    is_shown: bool = True,
) -> None:
    """Count the orders that an open batch's ranges touch, in one transaction.

    :param is_shown: whether tags and what is published follow; not in a mart that does
        not have the whole history yet
    """
    values = {"dictionary_feed": DICTIONARY_FEED}
    # A refresh is about few rows of large tables. On a guess of their number the
    # planner would now and then read one whole: 34 s instead of 1 for 20,000 orders.
    conn.execute("SET LOCAL enable_seqscan = off")
    make_ranges(conn, settings, batch.ranges)
    for one in refresh_statements(mart.name):
        if one.name in _FOR_TAGS and not is_shown:
            continue
        here = replace(one, statement=place.of(one.statement))
        number = execute_step(conn, here, values)
        if one.name in ("touched_orders", "new_orders", "old_orders", "deltas"):
            batch.counts[one.name] += number
        if one.makes == "deltas":
            doubled.refuse(conn, mart, "deltas")
    if settings.palate_publish_counters_to and is_shown:
        exchange.enter_counters(conn, mart)


@lru_cache(maxsize=8)
def refresh_statements(name: str) -> tuple[Step, ...]:
    """Return the statements of a refresh, in order."""
    mart = load_marts()[name]
    reference = mart.kept_reference
    orders = [
        mart.step("touched_orders"),
        mart.step("new_orders"),
        mart.step("old_orders"),
        mart.step("unchanged_orders", "unchanged_orders"),
        mart.step(
            "old_contributions",
            old_contributions=mart.contributions("old_orders", reference),
        ),
    ]
    deltas = mart.step(
        "deltas", new_contributions=mart.contributions("new_orders", reference)
    )
    if mart.reference is None:
        steps = [mart.step("2_batch_orders"), *orders, deltas]
    elif mart.reference.changes == "labels":
        # The reference tells how what is counted is called.
        relabelled = [mart.step("relabel", "relabelled")] if mart.label else []
        steps = [*_batch(mart), *orders, deltas, *_looked_up(mart), *relabelled]
    else:
        # It tells what is counted: what was counted by it is taken out before it
        # moves on, what counts now is put in after.
        *changes, dropped, added = _looked_up(mart)
        steps = [*_batch(mart), *changes, *orders, dropped, added, deltas]
    steps += [
        mart.step("apply", "applied"),
        mart.step("keep_counted", "kept"),
        mart.step("drop_counted", "dropped"),
    ]
    if mart.tag_kind:
        steps += [
            mart.step("keep_conditions", "conditions_kept"),
            mart.step("wait_for_tags", "waiting_for_tags"),
        ]
    return tuple(steps)


def _batch(mart: Mart) -> list[Step]:
    return [mart.step("1_batch_menu_products"), mart.step("2_batch_orders")]


def _looked_up(mart: Mart) -> list[Step]:
    """Return what finds what is looked up otherwise now, and lets it move on."""
    affected = mart.step("recount_products")
    if mart.has("affected"):
        affected = mart.step("affected_products", affected=mart.query("affected"))
    now = mart.query("reference", products="affected_products")
    return [
        affected,
        mart.step("3_reference_now", reference_query=now),
        mart.step("4_changed_products"),
        mart.step("drop_reference", "dropped_reference"),
        mart.step("add_reference", "added_reference"),
    ]


def rebuild_statements(name: str) -> list[Step]:
    """Return the statements of a rebuild, in order."""
    mart = load_marts()[name]
    columns, counted = ", ".join(mart.columns), ", ".join(mart.counted)
    tables = ", ".join(f"cdm.{table}" for table in mart.tables)
    steps = [
        mart.step("recomputed_rows", query=mart.recomputed()),
        Step("emptied", f"TRUNCATE {tables}"),
        Step(
            "counted_orders",
            f"INSERT INTO cdm.{name}_counted ({counted})"
            f" SELECT {counted} FROM ({mart.shared('all_orders')}) AS o"
            " ORDER BY order_id",
        ),
        Step(
            "rows",
            f"INSERT INTO cdm.{name} ({columns})"
            f" SELECT {columns} FROM recomputed ORDER BY {', '.join(mart.keys)}",
        ),
    ]
    if mart.reference:
        reference = ", ".join(mart.reference.columns)
        steps.append(
            Step(
                "reference",
                f"INSERT INTO cdm.{mart.reference.table} ({reference}) SELECT"
                f" {reference} FROM ({mart.query('reference', products=None)}) AS r"
                f" ORDER BY {', '.join(mart.reference.key)}",
            )
        )
    if mart.tag_kind:
        steps.append(Step("waiting_for_tags", ALL_TAGS_WAIT))
    return steps


def let_all_be_published(conn: Connection, settings: Settings, name: str) -> None:
    """Let every guest wait who has rows in a mart, if counters are published."""
    if settings.palate_publish_counters_to:
        exchange.enter_all_counters(conn, name)


def differences(
    settings: Settings, name: str, examples: int = 20
) -> tuple[int, list[dict[str, Any]]]:
    """Compare a mart with the vault; return how many rows differ, and some of them.

    What the vault has and the mart has not counted yet shows as a difference: run the
    stage first.

    :raises DefinitionError: if an order has added to a row twice
    """
    with connect(settings) as conn, conn.transaction():
        query = comparison(name, is_behind=False)
        number, rows = count_rows(conn, query, examples=examples)
    doubled.refuse_found(load_marts()[name], rows)
    return number, rows


@lru_cache(maxsize=16)
def comparison(name: str, *, is_behind: bool) -> str:
    """Return the query for the rows of a mart that differ from the vault.

    :param is_behind: leave out what the orders that ``gather`` has found may change
    """
    mart = load_marts()[name]
    return render(
        "checks/marts/equal_the_vault.sql",
        mart=name,
        keys=list(mart.keys),
        guest=mart.guest,
        columns=mart.columns,
        recomputed=mart.recomputed(),
        doubled=doubled.FOUND,
        is_behind=is_behind,
        is_label_looked_up=mart.is_label_looked_up,
    )


def gather(
    conn: Connection, settings: Settings, name: str, ranges: list[Range]
) -> None:
    """Find the orders of ranges, and their dishes, for a comparison without them."""
    mart = load_marts()[name]
    make_ranges(conn, settings, ranges)
    steps = [mart.step("2_batch_orders")]
    if mart.reference:
        steps = [*_batch(mart), mart.step("recount_products")]
    for one in steps:
        execute_step(conn, one, {"dictionary_feed": DICTIONARY_FEED})

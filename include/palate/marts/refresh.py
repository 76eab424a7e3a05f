"""The statements of a mart's refresh and rebuild."""

from functools import lru_cache

from palate.database import Connection
from palate.engine import Batch
from palate.marts import doubled
from palate.marts.counted_mart import CountedMart
from palate.marts.definitions import counted_mart
from palate.marts.mart_sql import MartSql
from palate.outbox import counters, tags_waiting
from palate.positions import make_ranges
from palate.settings import Settings
from palate.sql import Step, execute_step
from palate.table_set import TableSet

_FOR_TAGS = ("conditions_kept", "waiting_for_tags")


def refresh(
    conn: Connection,
    settings: Settings,
    mart: CountedMart,
    batch: Batch,
    tables: TableSet = TableSet.LIVE,
    *,
    is_shown: bool = True,
) -> None:
    """Count the orders that an open batch's ranges touch, in one transaction.

    :param is_shown: whether tags and published counters follow; not in a mart without
        the whole history
    """
    # A refresh reads few rows of large tables. With a wrong estimate the planner
    # sometimes reads a whole table: 34 s instead of 1 for 20,000 orders.
    conn.execute("SET LOCAL enable_seqscan = off")
    make_ranges(conn, batch.ranges)
    for one in refresh_statements(mart.name, tables):
        if one.name in _FOR_TAGS and not is_shown:
            continue
        number = execute_step(conn, one)
        if one.name in ("touched_orders", "new_orders", "old_orders", "deltas"):
            batch.counts[one.name] += number
        if one.makes == "deltas":
            doubled.refuse(conn, mart, "deltas")
    if settings.palate_publish_counters_to and is_shown:
        changes = mart.reference.changes if mart.reference else None
        counters.enter_counters(conn, mart.name, changes)


@lru_cache(maxsize=16)
def refresh_statements(name: str, tables: TableSet = TableSet.LIVE) -> tuple[Step, ...]:
    """Return the statements of a refresh, in order."""
    mart = counted_mart(name)
    sql = MartSql(mart, tables)
    reference = sql.kept_reference
    orders = [
        sql.step("touched_orders"),
        sql.step("new_orders"),
        sql.step("old_orders"),
        sql.step("unchanged_orders", "unchanged_orders"),
        sql.step(
            "old_contributions",
            old_contributions=sql.contributions("old_orders", reference),
        ),
    ]
    deltas = sql.deltas()
    if mart.reference is None:
        steps = [sql.step("batch_orders"), *orders, *deltas]
    elif mart.reference.changes == "labels":
        # The reference has the names of what is counted.
        relabelled = [sql.step("relabel", "relabelled")] if mart.label else []
        steps = [*batch_steps(sql), *orders, *deltas]
        steps += [*_looked_up(sql), *relabelled]
    else:
        # The reference decides what is counted: the old contributions are taken out
        # before it changes, the new ones put in after.
        *changes, dropped, added = _looked_up(sql)
        steps = [*batch_steps(sql), *changes, *orders, dropped, added, *deltas]
    steps += [
        *sql.moved_totals(),
        sql.step("apply", "applied"),
        sql.step("keep_counted", "kept"),
        sql.step("drop_counted", "dropped"),
    ]
    if mart.tag_kind:
        steps += [
            sql.step("keep_conditions", "conditions_kept"),
            sql.step("wait_for_tags", "waiting_for_tags"),
        ]
    return tuple(steps)


def batch_steps(sql: MartSql) -> list[Step]:
    """Return the statements that find a batch's orders, and what it may look up."""
    return [sql.step("batch_lookups"), sql.step("batch_orders")]


def _looked_up(sql: MartSql) -> list[Step]:
    """Return the statements that find and apply changes of the reference."""
    affected = sql.step("recount_products")
    if sql.mart.has("affected"):
        affected = sql.step("affected_products", affected=sql.query("affected"))
    now = sql.query("reference", products="affected_products")
    return [
        affected,
        sql.step("reference_now", reference_query=now),
        sql.step("changed_products"),
        sql.step("drop_reference", "dropped_reference"),
        sql.step("add_reference", "added_reference"),
    ]


def let_all_be_published(conn: Connection, settings: Settings, name: str) -> None:
    """Enqueue every guest with rows in a mart, if counters are published."""
    if settings.palate_publish_counters_to:
        counters.enter_all_counters(conn, name)


def rebuild_statements(name: str) -> list[Step]:
    """Return the statements of a rebuild, in order."""
    mart = counted_mart(name)
    sql = MartSql(mart)
    cdm = sql.tables.cdm
    columns, counted = ", ".join(mart.all_columns), ", ".join(mart.counted)
    tables = ", ".join(f"{cdm}.{table}" for table in mart.tables)
    steps = [
        sql.step("recomputed_rows", query=sql.recomputed()),
        Step("emptied", f"TRUNCATE {tables}"),
        Step(
            "counted_orders",
            f"INSERT INTO {cdm}.{name}_counted ({counted})"
            f" SELECT {counted} FROM ({sql.shared('all_orders')}) AS o"
            " ORDER BY order_id",
        ),
        Step(
            "rows",
            f"INSERT INTO {cdm}.{name} ({columns})"
            f" SELECT {columns} FROM recomputed ORDER BY {', '.join(mart.keys)}",
        ),
    ]
    if mart.reference:
        reference = ", ".join(mart.reference.columns)
        steps.append(
            Step(
                "reference",
                f"INSERT INTO {cdm}.{mart.reference.table} ({reference}) SELECT"
                f" {reference} FROM ({sql.query('reference', products=None)}) AS r"
                f" ORDER BY {', '.join(mart.reference.key)}",
            )
        )
    if mart.tag_kind:
        steps.append(Step("waiting_for_tags", tags_waiting.ALL_GUESTS))
    return steps

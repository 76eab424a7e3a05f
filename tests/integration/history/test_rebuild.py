"""Vault and marts built anew beside the live ones, compared, and swapped in."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from palate.database import connect
from palate.engine.outcome import Batch
from palate.errors import (
    ApprovalNeededError,
    RebuildRefusedError,
    StageBusyError,
)
from palate.history import rebuild
from palate.marts import compare
from palate.marts.definitions import load_marts
from palate.positions.watermark import open_ranges
from palate.settings import Settings
from palate.tags import stage as tags
from tests.food import FOOD
from tests.integration.staged import (
    caller,
    load,
    set_rules,
    stage_entries,
    stage_messages,
    with_topics,
)
from tests.model.compare import actual, assert_equal
from tests.model.history import Message, Rule
from tests.unit.model.stories import dish, enriched, guest, line, menu, raw

ME = caller("rebuild")
CHUNK = 7
Conn = psycopg.Connection[Any]


def _orders(first: int, end: int) -> list[Message]:
    return [
        raw(
            number % 9,
            [line("d1", 1 + number % 3), line(f"d{2 + number % 3}")],
            offset=number,
            user=f"u{number % 4}",
            update_ts=f"2023-08-01 10:00:{number:02}",
        )
        for number in range(first, end)
    ]


@pytest.fixture
def shop(warehouse: Settings, connection: Conn) -> Settings:
    """Give a warehouse with both forms, dictionaries, a refused message and tags."""
    settings = with_topics(warehouse).model_copy(
        update={"palate_chunk_positions": CHUNK}
    )
    bad = Message(*raw(1, offset=20).position, raw(1).broker_dt, b"no order")
    stage_messages(connection, [*_orders(0, 20), bad])
    stage_messages(connection, [enriched(77, [line("d9", category="Суп")])])
    menus = [menu("r", "2023-08-01 00:00:00", dish("d1", category="Суп"), dish("d2"))]
    stage_entries(settings, [*menus, guest("u1", "2023-08-01 00:00:00")])
    set_rules(connection, [Rule("category", "Суп", 2, "soup", True)])
    load(settings)
    return settings


DAMAGE = {
    "dds.s_order_cost": (
        "UPDATE dds.s_order_cost SET cost = cost + 1 WHERE order_id = 7",
        2,
    ),
    "dds.s_user_names": ("DELETE FROM dds.s_user_names", 1),
    "dds.l_order_user": (
        "INSERT INTO dds.l_order_user SELECT uuid_generate_v4(), order_id + 1000,"
        " uuid_generate_v4(), h_user_pk, load_dt, load_src FROM dds.l_order_user"
        " WHERE order_id = 7 LIMIT 1",
        1,
    ),
    "cdm.user_category_counters": (
        "UPDATE cdm.user_category_counters SET order_cnt = order_cnt + 5",
        5,
    ),
    "cdm.user_product_counters_counted": (
        "DELETE FROM cdm.user_product_counters_counted WHERE order_id = 7",
        1,
    ),
}


def _plant(conn: Conn) -> None:
    for statement, number in DAMAGE.values():
        assert conn.execute(statement).rowcount == number, statement


def test_equal_tables_are_swapped_without_a_question(
    shop: Settings, connection: Conn
) -> None:
    for statement in (
        "CREATE INDEX by_cost ON dds.s_order_cost (cost) WITH (fillfactor = 80)",
        "COMMENT ON INDEX dds.by_cost IS 'of an analyst'",
        "COMMENT ON COLUMN dds.h_user.user_id IS 'a remark'",
        "ALTER TABLE dds.h_user ALTER COLUMN user_id SET STATISTICS 500",
        "GRANT SELECT (user_id) ON dds.h_user TO palate_reader WITH GRANT OPTION",
        "CREATE VIEW public.mine WITH (security_barrier) AS SELECT o.order_id"
        " FROM dds.v_order AS o INNER JOIN dds.h_user AS u USING (user_id)"
        " INNER JOIN cdm.user_product_counters AS c ON c.user_id = u.h_user_pk",
        "CREATE VIEW public.of_mine AS SELECT count(*) FROM public.mine",
        "ANALYZE",
    ):
        connection.execute(statement)
    before, catalog = actual(connection), _catalog(connection)
    old = _oids(connection)
    mine = connection.execute("SELECT * FROM public.of_mine").fetchall()

    rebuild.build(shop, ME)
    assert not rebuild.compare(shop, ME).differs
    found = rebuild.swap(shop, ME)

    assert found.outcome == "swapped"
    assert_equal(before, actual(connection))
    assert set(_catalog(connection)) ^ set(catalog) == set()
    assert connection.execute("SELECT * FROM public.of_mine").fetchall() == mine
    assert not set(old) & set(_oids(connection))
    assert len(old) == len(_oids(connection))
    # What comes next goes into the new tables.
    stage_messages(connection, _orders(21, 25))
    load(shop, "next")
    for name in load_marts("food"):
        assert compare.differences(shop, name) == (0, [])
    assert not rebuild.swap(shop, ME).differs  # a repeat of the task does nothing


def test_planted_rows_are_reported_and_right_once_approved(
    shop: Settings, connection: Conn
) -> None:
    before = actual(connection)
    _plant(connection)

    rebuild.build(shop, ME)
    found = rebuild.compare(shop, ME)

    differing = {table.name: table.differing for table in found.tables}
    assert {name: number for name, number in differing.items() if number} == {
        name: number for name, (_, number) in DAMAGE.items()
    }
    by_name = {table.name: table for table in found.tables}
    cost = by_name["dds.s_order_cost"].examples[0]
    assert (cost["what"], cost["columns"]) == ("other values", ["cost"])
    assert cost["key"].keys() == {"order_id", "version_dt", "hk_order_cost_hashdiff"}
    assert by_name["dds.l_order_user"].extra == 1
    assert by_name["dds.s_user_names"].missing == 1
    assert "other values: order_id `" in found.markdown()
    with pytest.raises(ApprovalNeededError, match="10 rows differ"):
        rebuild.swap(shop, ME)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="approved"):
        connection.execute("SELECT ops.swap_rebuild()")

    rebuild.approve(shop, ME)
    rebuild.swap(shop, ME)

    assert_equal(before, actual(connection))
    tags.run(shop, caller("tags", "after"))
    assert tags.differences(shop) == (0, [])


def test_rejected_rebuild_leaves_all_as_it_was(
    shop: Settings, connection: Conn
) -> None:
    _plant(connection)
    before, catalog, old = actual(connection), _catalog(connection), _oids(connection)
    rebuild.build(shop, ME)
    assert rebuild.compare(shop, ME).differs

    assert rebuild.discard(shop)

    assert_equal(before, actual(connection))
    assert (_catalog(connection), _oids(connection)) == (catalog, old)
    assert not rebuild.discard(shop)
    with pytest.raises(RebuildRefusedError, match="no rebuild under way"):
        rebuild.swap(shop, ME)


def test_live_runs_go_on_between_all_steps(shop: Settings, connection: Conn) -> None:
    _plant(connection)
    ends = iter((24, 28, 32, 36))
    begun = 21

    def live() -> None:
        nonlocal begun
        end = next(ends)
        stage_messages(connection, _orders(begun, end))
        stage_entries(
            shop, [menu("r", f"2023-08-01 00:00:{end}", dish("d1", category=f"C{end}"))]
        )
        load(shop, f"live {end}")
        begun = end

    is_first = True

    def on_batch(stage: str, _: Batch) -> None:
        nonlocal is_first
        if is_first and stage == "rebuild:vault":
            is_first = False
            live()

    rebuild.build(shop, replace(ME, on_batch=on_batch))
    live()
    assert rebuild.compare(shop, ME).differs
    live()
    rebuild.approve(shop, ME)
    live()
    rebuild.swap(shop, ME)

    with connect(shop) as conn:
        for stage in (
            FOOD.vault,
            *(mart.stage for mart in load_marts("food").values()),
        ):
            assert not open_ranges(conn, stage, FOOD.upstream)
    for name in load_marts("food"):
        assert compare.differences(shop, name) == (0, [])
    rebuild.build(shop, replace(ME, run_id="again"))
    assert not rebuild.compare(shop, ME).differs


@pytest.mark.parametrize("batches", [1, 3, 6])
def test_interrupted_build_goes_on_where_it_was(
    shop: Settings, connection: Conn, batches: int
) -> None:
    before = actual(connection)
    _plant(connection)

    def on_batch(_: str, __: Batch) -> None:
        nonlocal batches
        batches -= 1
        if not batches:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild.build(shop, replace(ME, on_batch=on_batch))
    done = connection.execute(
        "SELECT count(*) FROM ops.batches WHERE stage LIKE 'rebuild:%'"
    ).fetchone()

    rebuild.build(shop, replace(ME, run_id="another"))

    first = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE finished_dt IS NULL) FROM ops.rebuilds"
    )
    assert first.fetchone() == (1, 1)
    assert done is not None
    assert done[0] >= 1
    assert rebuild.compare(shop, ME).differing == 10
    rebuild.approve(shop, ME)
    rebuild.swap(shop, ME)
    assert_equal(before, actual(connection))


def test_rebuild_of_other_statements_begins_anew(
    shop: Settings, connection: Conn
) -> None:
    rebuild.build(shop, ME)
    connection.execute("UPDATE ops.rebuilds SET made_from = 'an older program'")
    connection.execute("DELETE FROM dds_rebuild.h_order")

    rebuild.build(shop, ME)

    assert not rebuild.compare(shop, ME).differs
    assert connection.execute(
        "SELECT outcome FROM ops.rebuilds ORDER BY rebuild_id"
    ).fetchall() == [("discarded",), (None,)]


def test_more_than_was_approved_is_not_swapped(
    shop: Settings, connection: Conn
) -> None:
    connection.execute(DAMAGE["dds.s_order_cost"][0])
    rebuild.build(shop, ME)
    rebuild.compare(shop, ME)
    rebuild.approve(shop, ME)
    connection.execute("UPDATE dds.s_order_cost SET payment = payment + 1")

    for _ in range(2):  # a repeat approves no more than was seen
        with pytest.raises(ApprovalNeededError, match="now than was approved, in dds"):
            rebuild.swap(shop, ME, is_approved=True)


def test_rows_that_stg_can_not_give_are_not_lost(
    shop: Settings, connection: Conn
) -> None:
    connection.execute(
        "UPDATE ops.event_partitions SET dropped_dt = now(), dropped_by = 'ada',"
        " dropped_bytes = 0 WHERE topic LIKE '%raw%' OR topic LIKE 'order%'"
    )
    with pytest.raises(RebuildRefusedError, match="STG can no longer give all rows"):
        rebuild.build(shop, ME)
    assert not rebuild.discard(shop)


def test_what_would_be_lost_is_named(shop: Settings, connection: Conn) -> None:
    connection.execute("CREATE MATERIALIZED VIEW mine AS SELECT * FROM dds.v_order")
    with pytest.raises(RebuildRefusedError, match="lose the materialized view"):
        rebuild.build(shop, ME)


def test_table_that_is_being_filled_is_waited_for(
    shop: Settings, connection: Conn
) -> None:
    connection.execute(
        "UPDATE ops.definitions SET filled_dt = NULL WHERE name = 's_order_cost'"
    )
    with pytest.raises(RebuildRefusedError, match="s_order_cost is still being filled"):
        rebuild.build(shop, ME)


def test_swap_waits_for_no_reader_for_long(shop: Settings, connection: Conn) -> None:
    rebuild.build(shop, ME)
    rebuild.compare(shop, ME)
    dsn = shop.dwh_dsn.get_secret_value()
    with psycopg.connect(dsn) as reader:
        reader.execute("SELECT count(*) FROM dds.v_order")
        with pytest.raises(StageBusyError, match="reading the vault or a mart"):
            rebuild.swap(shop, ME)
    load(shop, "next")  # the stages are free again
    assert rebuild.swap(shop, ME).outcome == "swapped"


def test_message_that_is_refused_by_now_is_reported_and_kept_apart(
    shop: Settings, connection: Conn
) -> None:
    """As if an older program had taken what the one of today refuses."""
    late = Message(*raw(1, offset=21).position, raw(1).broker_dt, b"no order")
    stage_messages(connection, [late])
    load(shop, "next")
    connection.execute("DELETE FROM stg.rejected_messages WHERE kafka_offset = 21")

    rebuild.build(shop, ME)
    found = rebuild.compare(shop, ME)

    refused = {table.name: table for table in found.tables}["stg.rejected_messages"]
    (example,) = refused.examples
    assert (example["what"], example["key"]["offset"]) == (
        "refused now as not_json",
        21,
    )
    query = "SELECT kafka_offset FROM stg.rejected_messages ORDER BY 1"
    assert connection.execute(query).fetchall() == [(20,)]
    rebuild.approve(shop, ME)
    rebuild.swap(shop, ME)
    assert connection.execute(query).fetchall() == [(20,), (21,)]


def _oids(conn: Conn) -> list[int]:
    rows = conn.execute(
        "SELECT format('%I.%I', table_schema, table_name)::regclass::oid"
        " FROM ops.rebuilt_tables()"
    )
    return [oid for (oid,) in rows]


def _catalog(conn: Conn) -> list[tuple[Any, ...]]:
    """Return all that the catalog says of tables, views and what belongs to them."""
    rows = conn.execute(
        "WITH here AS (SELECT c.*, n.nspname FROM pg_class AS c INNER JOIN"
        " pg_namespace AS n ON c.relnamespace = n.oid"
        " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))"
        " SELECT nspname, relname, 'relation', relkind::text,"
        " pg_get_userbyid(relowner)::text,"
        " (SELECT string_agg(g::text, ' ' ORDER BY g::text) FROM unnest(relacl) AS g),"
        " array_to_string(reloptions, ','), obj_description(oid, 'pg_class'),"
        " CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid)"
        " WHEN relkind = 'i' THEN pg_get_indexdef(oid) END FROM here"
        " UNION ALL SELECT h.nspname, h.relname, 'column ' || a.attname,"
        " format_type(a.atttypid, a.atttypmod), a.attnotnull::text, a.attacl::text,"
        " a.attcollation::regcollation::text || a.attstattarget,"
        " col_description(h.oid, a.attnum), a.attnum::text"
        " FROM here AS h INNER JOIN pg_attribute AS a ON a.attrelid = h.oid"
        " AND a.attnum > 0 AND NOT a.attisdropped"
        " UNION ALL SELECT h.nspname, h.relname, 'constraint ' || k.conname,"
        " pg_get_constraintdef(k.oid), k.conindid::regclass::text, '', '', '', ''"
        " FROM here AS h INNER JOIN pg_constraint AS k ON k.conrelid = h.oid"
        " UNION ALL SELECT schemaname, tablename, 'statistics ' || attname,"
        " n_distinct::text, null_frac::text, '', '', '', '' FROM pg_stats"
        " WHERE schemaname IN ('dds', 'cdm')"
        " UNION ALL SELECT nspname, '', 'schema', '', nspacl::text, '', '', '', ''"
        " FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'"  # of any session
        " ORDER BY 1, 2, 3"
    )
    return rows.fetchall()

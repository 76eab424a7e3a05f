"""The checks: each finds the fault it is for, and nothing where all is well."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import redis
from psycopg import Connection

from palate.checks import run
from palate.checks.results import Result
from palate.checks.subjects import subjects
from palate.engine.outcome import Caller
from palate.errors import CheckFailedError, NotFoundError
from palate.incidents import open_incidents
from palate.marts import compare
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.pipelines import run_pipeline
from palate.settings import Settings
from palate.tags import stage as tags
from palate.vault import stage as vault
from palate.vault.definitions import load_vault
from tests.food import FOOD, food_checks
from tests.integration.broker import Broker
from tests.integration.staged import caller, set_rules, stage_messages, with_topics
from tests.model.history import Rule
from tests.unit.model.stories import DAY_1, dish, guest, line, menu, raw
from tests.warehouses import MakeWarehouse

MART = "marts/equal_the_vault"


@pytest.fixture(scope="module")
def shop(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give a warehouse that has loaded a little of everything, by the real way."""
    with make_warehouse() as settings:
        with redis.Redis.from_url(settings.redis_url.get_secret_value()) as entries:
            dishes = [dish(f"dish {n}", f"Dish {n}", category="c") for n in range(3)]
            for entry in (menu("r", DAY_1, *dishes), guest("u", DAY_1)):
                entries.set(entry.id, entry.value)
        broker = Broker(settings, None)
        with _connect(settings) as conn:
            set_rules(conn, [Rule("category", "c", 1, "hungry")])
        for first in (0, 10, 20):
            orders = [
                raw(n, [line(f"dish {n % 3}")], user="uv"[n % 2]).value
                for n in range(first, first + 10)
            ]
            broker.send([*orders, b"no order"], partition=1)
            for _ in range(2):  # the names come with the second one
                list(run_pipeline(settings))
        # What waits is not waited for.
        yield settings.model_copy(update={"palate_lock_wait": 0})


@contextmanager
def _connect(settings: Settings) -> Iterator[Connection]:
    dsn = settings.dwh_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as conn:
        yield conn


def _look(settings: Settings, *names: str) -> list[Result]:
    return run.run_checks(settings, Caller.in_shell("check"), names).results


def _found(settings: Settings, *names: str) -> dict[str, set[str]]:
    """Return what rows were found about, by check."""
    found: dict[str, set[str]] = {}
    for one in _look(settings, *names):
        if one.outcome != "passed":
            found.setdefault(one.check, set()).add(one.subject)
    return found


def test_where_all_is_well_nothing_is_found(shop: Settings) -> None:
    assert {one.check for one in _look(shop)} == {c.full_name for c in food_checks()}
    assert _found(shop) == {}


def test_every_definition_is_checked() -> None:
    groups = {check.group for check in food_checks()}
    about = {name for group in groups for name in subjects(group, ["food"])}
    assert about >= {f"dds.{name}" for name in load_vault("food").tables}
    assert about >= {f"cdm.{name}" for name in load_marts("food")}


_DAYS = (
    "INSERT INTO ops.batches (stage_run_id, stage, is_repeat, load_dt, committed_dt,"
    " counts) SELECT min(stage_run_id), 'vault', FALSE, now(), now() - d.ago * interval"
    " '1 day', %s FROM ops.stage_runs CROSS JOIN generate_series({}) AS d (ago)"
    " GROUP BY d.ago"
)
_SAME_KEY = "UPDATE dds.{0} SET {1} = (SELECT min({1}::text)::uuid FROM dds.{0})"

# (check, what rows are found about, tables that are mended after it, what is planted)
FAULTS = {
    "hub_key_twice": (
        "hubs/keys_are_unique",
        "dds.h_user",
        ["dds.h_user"],
        [
            "ALTER TABLE dds.h_user DROP CONSTRAINT h_user_pkey",
            _SAME_KEY.format("h_user", "h_user_pk"),
        ],
    ),
    "business_key_twice": (
        "hubs/keys_are_unique",
        "dds.h_product",
        ["dds.h_product"],
        [
            "INSERT INTO dds.h_product SELECT gen_random_uuid(), product_id, load_dt,"
            " load_src FROM dds.h_product LIMIT 1"
        ],
    ),
    "hub_without_a_key": (
        "hubs/keys_are_unique",
        "dds.h_restaurant",
        ["dds.h_restaurant"],
        [
            "ALTER TABLE dds.h_restaurant DROP CONSTRAINT h_restaurant_pkey",
            "ALTER TABLE dds.h_restaurant ALTER h_restaurant_pk DROP NOT NULL",
            "UPDATE dds.h_restaurant SET h_restaurant_pk = NULL",
        ],
    ),
    "link_key_twice": (
        "links/keys_are_unique",
        "dds.l_order_user",
        ["dds.l_order_user"],
        [_SAME_KEY.format("l_order_user", "hk_order_user_pk")],
    ),
    "pair_twice": (
        "links/keys_are_unique",
        "dds.l_product_category",
        ["dds.l_product_category"],
        [
            "ALTER TABLE dds.l_product_category"
            " DROP CONSTRAINT l_product_category_pkey",
            "INSERT INTO dds.l_product_category SELECT gen_random_uuid(),"
            " h_product_pk, h_category_pk, load_dt, load_src"
            " FROM dds.l_product_category LIMIT 1",
        ],
    ),
    "link_without_a_hub": (
        "links/hubs_are_there",
        "dds.l_order_product",
        ["dds.h_product"],
        ["DELETE FROM dds.h_product WHERE product_id = 'dish 1'"],
    ),
    "link_without_a_clustered_hub": (
        "links/hubs_are_there",
        "dds.l_order_user",
        ["dds.h_order"],
        ["DELETE FROM dds.h_order WHERE order_id = 7"],
    ),
    "satellite_without_a_hub": (
        "satellites/parents_are_there",
        "dds.s_order_cost",
        ["dds.h_order"],
        ["DELETE FROM dds.h_order WHERE order_id = 7"],
    ),
    "satellite_without_a_link": (
        "satellites/parents_are_there",
        "dds.s_menu_price",
        ["dds.l_product_restaurant"],
        ["DELETE FROM dds.l_product_restaurant"],
    ),
    "counter_changed": (
        "marts/equal_the_vault",
        "cdm.user_product_counters",
        ["cdm.user_product_counters"],
        ["UPDATE cdm.user_product_counters SET order_cnt = order_cnt + 1"],
    ),
    "name_changed": (
        "marts/equal_the_vault",
        "cdm.user_category_counters",
        ["cdm.user_category_counters"],
        ["UPDATE cdm.user_category_counters SET category_name = 'x'"],
    ),
    "counter_gone": (
        "marts/equal_the_vault",
        "cdm.user_product_counters",
        ["cdm.user_product_counters"],
        ["DELETE FROM cdm.user_product_counters"],
    ),
    "total_wrong": (
        "totals/equal_the_mart",
        "cdm.user_product_counters",
        ["cdm.product_totals"],
        ["UPDATE cdm.product_totals SET guest_cnt = guest_cnt + 1"],
    ),
    "day_wrong": (
        "totals/equal_the_mart",
        "cdm.user_category_counters",
        ["cdm.guest_days"],
        ["UPDATE cdm.guest_days SET new_guest_cnt = 0"],
    ),
    "tag_gone": (
        "tags/equal_the_counters",
        "cdm.user_tags",
        ["cdm.user_tags"],
        ["DELETE FROM cdm.user_tags"],
    ),
    "message_not_loaded": (
        "orders/messages_are_judged",
        "orders",
        ["dds.s_order_version"],
        ["DELETE FROM dds.s_order_version WHERE order_id = 7"],
    ),
    "refusal_gone": (
        "orders/messages_are_judged",
        "orders",
        ["stg.rejected_messages"],
        ["DELETE FROM stg.rejected_messages"],
    ),
    "message_loaded_and_refused": (
        "orders/messages_are_judged",
        "orders",
        ["stg.rejected_messages"],
        [
            "INSERT INTO stg.rejected_messages SELECT topic, epoch, kafka_partition,"
            " kafka_offset, 'wrong_shape', 'a test', now() FROM dds.s_order_version"
            " LIMIT 1"
        ],
    ),
    "message_gone": (
        "positions/messages_are_staged",
        "positions",
        ["stg.order_events"],
        ["DELETE FROM stg.order_events WHERE kafka_offset = 15"],
    ),
    "batch_gone": (
        "positions/ledger_has_no_holes",
        "positions",
        ["ops.batch_ranges"],
        ["DELETE FROM ops.batch_ranges WHERE from_offset = 11"],
    ),
    "watermark_ahead": (
        "positions/ledger_has_no_holes",
        "positions",
        ["ops.watermarks"],
        ["UPDATE ops.watermarks SET next_offset = next_offset + 5"],
    ),
    "promise_broken": (
        "operation/freshness_is_kept",
        "operation",
        ["ops.log_ends"],
        ["INSERT INTO ops.log_ends VALUES ('x', 0, 0, 9, now() - interval '61 s')"],
    ),
    "watch_asleep": (
        "operation/watch_is_awake",
        "operation",
        ["ops.watch"],
        ["INSERT INTO ops.watch VALUES (now() - interval '61 s')"],
    ),
    "much_refused": (
        "operation/refused_share_is_small",
        "operation",
        ["ops.batches"],
        [_DAYS.format("0, 0").replace("%s", """'{"documents": 90, "refused": 40}'""")],
    ),
    "table_stopped": (
        "operation/tables_grow_on",
        "operation",
        ["ops.batches"],
        [_DAYS.format("2, 5").replace("%s", """'{"s_order_cost": 900}'""")],
    ),
    "table_jumped": (
        "operation/tables_do_not_jump",
        "operation",
        ["ops.batches"],
        [
            _DAYS.format("2, 5").replace("%s", """'{"s_order_cost": 900}'"""),
            _DAYS.format("0, 0").replace("%s", """'{"s_order_cost": 9000}'"""),
        ],
    ),
    "many_partitions": (
        "operation/partitions_are_few",
        "operation",
        ["ops.event_partitions"],
        [
            "INSERT INTO ops.event_partitions"
            " (topic, epoch, kafka_partition, from_offset, to_offset)"
            " SELECT 'x', 0, n, 0, 1 FROM generate_series(1, 301) AS n"
        ],
    ),
}


@contextmanager
def _mended(conn: Connection, tables: list[str]) -> Iterator[None]:
    """Put the rows of these tables back at the end."""
    # Batches have ranges that go with them, and ids that nobody may give.
    kept = {table: f"kept_{number}" for number, table in enumerate(tables)}
    for table, name in kept.items():
        conn.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM {table}")
    try:
        yield
    finally:
        for table, name in kept.items():
            if table == "ops.batches":
                conn.execute(
                    f"DELETE FROM {table} WHERE batch_id NOT IN"
                    f" (SELECT batch_id FROM {name})"
                )
            elif table == "ops.event_partitions":
                conn.execute(f"DELETE FROM {table} WHERE topic = 'x'")
            else:
                conn.execute(f"DELETE FROM {table}")
                conn.execute(f"INSERT INTO {table} SELECT * FROM {name}")
            conn.execute(f"DROP TABLE {name}")


def test_every_check_has_a_fault_that_it_finds() -> None:
    """Else it may be one that can't fail."""
    assert {check for check, *_ in FAULTS.values()} == {
        check.full_name for check in food_checks()
    }


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found(shop: Settings, name: str) -> None:
    check, subject, tables, plants = FAULTS[name]
    with _connect(shop) as conn:
        with _mended(conn, tables):
            for plant in plants:
                assert conn.execute(plant).rowcount != 0
            found = [one for one in _look(shop, check) if one.outcome == "found"]
            assert subject in {one.subject for one in found}
            (row,) = [one.examples[0] for one in found if one.subject == subject]
            assert row
            kept = conn.execute(
                "SELECT severity, found, examples -> 0 FROM ops.check_results"
                " WHERE (check_name, subject, outcome) = (%s, %s, 'found')"
                " ORDER BY check_result_id DESC LIMIT 1",
                (check, subject),
            ).fetchone()
            assert kept is not None
            assert kept[1] == next(o.found for o in found if o.subject == subject)
            assert kept[2].keys() == row.keys()
            is_failure = kept[0] == "fail"
            told = {one.subject for one in open_incidents(conn)}
            assert (f"{check} {subject}" in told) == is_failure
            if is_failure:
                with pytest.raises(CheckFailedError, match=subject):
                    run.check_warehouse(shop, Caller.in_shell("check"), [check])
        assert _found(shop, check) == {}
        assert open_incidents(conn) == []


def test_check_that_is_not_there_is_named(shop: Settings) -> None:
    with pytest.raises(NotFoundError, match=r"no check x/y\. There are: hubs/keys"):
        run.run_checks(shop, Caller.in_shell("check"), ["x/y"])


def test_loading_goes_on_beside_a_check_and_does_not_show_in_it(
    warehouse: Settings, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check's own query waits until a whole load has come and gone."""
    settings = warehouse.model_copy(update={"palate_lock_wait": 1})
    broker.send([raw(0, [line("d")]).value])
    list(run_pipeline(settings))
    number = iter(range(1, 1000))
    real = run.count_rows

    def loaded_meanwhile(conn: Connection, *arguments: Any) -> Any:
        conn.execute("SELECT 1")  # now the snapshot is taken
        broker.send([raw(next(number), [line("d")]).value])
        outcomes = [one.as_dict() for one in run_pipeline(settings)]
        assert outcomes[1]["counts"]["orders"] == 1
        return real(conn, *arguments)

    monkeypatch.setattr(run, "count_rows", loaded_meanwhile)
    names = (MART, "tags/equal_the_counters", "orders/messages_are_judged")
    results = _look(settings, *names, "positions/ledger_has_no_holes")

    assert [one.outcome for one in results] == ["passed"] * 5


def test_mart_that_is_behind_is_not_wrong_but_a_wrong_row_is(
    warehouse: Settings, connection: Connection
) -> None:
    settings = with_topics(warehouse)
    stage_messages(connection, [raw(1, [line("d")], user="a")])
    vault.run(settings, FOOD, caller("vault"))
    for name in load_marts("food"):
        marts.run(settings, name, caller(name))
    stage_messages(
        connection,
        [
            raw(1, [line("d")], user="a", status="CANCELLED", offset=1),
            raw(2, [line("e")], user="b", offset=2),
        ],
    )
    vault.run(settings, FOOD, caller("vault", "next"))

    assert compare.differences(settings, "user_product_counters")[0] > 0
    (behind,) = [r for r in _look(settings, MART) if "product" in r.subject]
    assert (behind.outcome, behind.found) == ("passed", 0)
    assert "left out" in behind.note

    connection.execute(
        "INSERT INTO cdm.user_product_counters SELECT gen_random_uuid(),"
        " gen_random_uuid(), 'x', 1, 1, 1"
    )
    (wrong,) = [r for r in _look(settings, MART) if "product" in r.subject]
    assert wrong.found == 1
    assert wrong.examples[0]["what"] == "is"


def test_mart_that_lacks_entries_is_skipped_and_says_so(shop: Settings) -> None:
    """Unless it is equal all the same: then what waits changes nothing."""
    tables = ["ops.watermarks", "cdm.user_category_counters"]
    with _connect(shop) as conn, _mended(conn, tables):
        conn.execute(
            "UPDATE ops.watermarks SET next_offset = next_offset - 1 WHERE (stage,"
            " topic) = ('mart:user_category_counters', 'dictionaries')"
        )
        assert {one.outcome for one in _look(shop, MART)} == {"passed"}
        conn.execute("UPDATE cdm.user_category_counters SET amount = amount + 1")
        outcomes = {one.subject: one for one in _look(shop, MART)}

    assert outcomes["cdm.user_product_counters"].outcome == "passed"
    skipped = outcomes["cdm.user_category_counters"]
    assert skipped.outcome == "skipped"
    assert skipped.note == "Entries of dictionaries are not counted yet."


def test_tags_that_wait_are_not_wrong(shop: Settings) -> None:
    check = "tags/equal_the_counters"
    with _connect(shop) as conn, _mended(conn, ["cdm.user_tags", "ops.tags_waiting"]):
        conn.execute(
            "INSERT INTO ops.tags_waiting SELECT user_id, tag FROM cdm.user_tags"
        )
        conn.execute("DELETE FROM cdm.user_tags")
        assert tags.differences(shop)[0] > 0
        assert [one.outcome for one in _look(shop, check)] == ["passed"]
        conn.execute("DELETE FROM ops.tags_waiting")
        assert [one.outcome for one in _look(shop, check)] == ["found"]


def test_rules_that_are_not_taken_up_are_waited_for(shop: Settings) -> None:
    with _connect(shop) as conn, _mended(conn, ["cdm.tag_rules"]):
        conn.execute("UPDATE cdm.tag_rules SET threshold = 1000")
        (one,) = _look(shop, "tags/equal_the_counters")
    assert (one.outcome, one.note) == ("skipped", "Changed rules are not taken up yet.")

"""The reload of a time of history: damage of each kind is planted, found and healed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import redis
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from palate.engine.outcome import Batch, Caller
from palate.engine.plans import ReadFrom, Request
from palate.engine.stage import open_run
from palate.errors import HistoryDiffersError, NotFoundError
from palate.history import reload
from palate.incidents import Kind, open_incidents
from palate.landing.drain import Limits, run
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.pipelines import run_pipeline
from palate.positions.watermark import watermarks
from palate.settings import Settings
from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.model.compare import actual, assert_equal
from tests.unit.model.stories import dish, enriched, guest, line, menu, raw
from tests.warehouses import MakeWarehouse

WEEK = datetime(2023, 8, 7, tzinfo=UTC)
SEVEN_DAYS = timedelta(days=7)
ORDERS = 60
TIMES = {"date": "2023-08-03 10:00:00", "update_ts": "2023-08-03 10:00:00"}


@dataclass
class Shop:
    """A warehouse with three weeks of orders, 20 to a week, loaded."""

    settings: Settings
    conn: psycopg.Connection[Any]
    broker: Broker

    def reload(
        self,
        weeks: int = 1,
        source: ReadFrom = ReadFrom.AUTO,
        settings: Settings | None = None,
        start: datetime = WEEK,
    ) -> reload.ReloadReport:
        request = Request(start, start + weeks * SEVEN_DAYS, source)
        return reload.run_all(
            settings or self.settings, FOOD, Caller.in_shell("reload"), request
        )

    def all(self, query: str) -> list[tuple[Any, ...]]:
        return self.conn.execute(query).fetchall()


@pytest.fixture(scope="module")
def shop(make_warehouse: MakeWarehouse) -> Iterator[Shop]:
    with make_warehouse(
        palate_drain_messages=15, palate_chunk_positions=15
    ) as settings:
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        broker = Broker(settings, admin)
        for topic in (broker.raw, broker.enriched):
            broker.configure(topic, retention_ms="-1")
        _send(broker)
        with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
            menus = [menu("r", TIMES["date"], dish("d1", category="Суп"), dish("d2"))]
            for entry in [*menus, *(guest(f"u{n}", TIMES["date"]) for n in range(7))]:
                client.set(entry.id, entry.value)
        list(run_pipeline(settings))
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield Shop(settings, conn, broker)
        admin.close()


def _send(broker: Broker) -> None:
    producer: KafkaProducer = broker.producer()
    for number in range(ORDERS):
        lines = [line("d1", 1 + number % 3), line(f"d{2 + number % 3}")]
        message = raw(number, lines, user=f"u{number % 7}", restaurant="r", **TIMES)
        sent_at = WEEK + number * SEVEN_DAYS / 20
        broker.send(
            [message.value, b"no order"] if number % 20 == 3 else [message.value],
            partition=number % 2,
            producer=producer,
            timestamp_ms=int(sent_at.timestamp() * 1000),
        )
    older = enriched(3, [line("d2", category="Суп")], date="2023-08-02 10:00:00")
    broker.send(
        [older.value],
        topic=broker.enriched,
        producer=producer,
        timestamp_ms=int((WEEK + timedelta(days=1)).timestamp() * 1000),
    )
    producer.close()


PRODUCTS = "cdm.user_product_counters"
CATEGORIES = "cdm.user_category_counters"
# What is damaged, in which layer it is found, and how many rows are put right. Every
# guest has orders in every week, so each counter is looked at.
DAMAGE = {
    "messages": ("DELETE FROM stg.order_events WHERE kafka_offset < 5", "messages", 11),
    "refused": (
        "DELETE FROM stg.rejected_messages WHERE kafka_offset < 5",
        "vault",
        1,
    ),
    "hub": ("DELETE FROM dds.h_product", "vault", 4),
    "link": ("DELETE FROM dds.l_order_user WHERE order_id < 20", "vault", 21),
    "order": ("DELETE FROM dds.h_order WHERE order_id = 7", "vault", 1),
    "satellite": ("DELETE FROM dds.s_order_item WHERE order_id = 7", "vault", 2),
    "version": ("DELETE FROM dds.s_order_version WHERE order_id = 7", "vault", 1),
    "counter gone": (f"DELETE FROM {PRODUCTS}", "user_product_counters", None),
    "counter changed": (
        f"UPDATE {CATEGORIES} SET order_cnt = order_cnt + 1",
        "user_category_counters",
        7,
    ),
    "money changed": (
        f"UPDATE {PRODUCTS} SET amount = amount + 1 WHERE product_name = 'dish'",
        "user_product_counters",
        None,
    ),
    "name changed": (
        f"UPDATE {PRODUCTS} SET product_name = 'Борщ'",
        "user_product_counters",
        None,
    ),
    "counter of nothing": (
        f"INSERT INTO {PRODUCTS} SELECT user_id, user_id, 'x', 1, 1, 1"
        f" FROM {PRODUCTS} LIMIT 1",
        "user_product_counters",
        1,
    ),
    "counted forgotten": (
        f"DELETE FROM {PRODUCTS}_counted WHERE order_id < 20",
        "user_product_counters",
        20,
    ),
    "counted changed": (
        f"UPDATE {PRODUCTS}_counted SET version_dt = '2020-01-01' WHERE order_id < 9",
        "user_product_counters",
        9,
    ),
    "looked up gone": (
        f"DELETE FROM {CATEGORIES}_spans",
        "user_category_counters",
        2,
    ),
    "looked up changed": (
        f"UPDATE {PRODUCTS}_names SET product_name = 'Борщ'",
        "user_product_counters",
        None,
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_healed(shop: Shop, damage: str) -> None:
    statement, layer, healed = DAMAGE[damage]
    before = actual(shop.conn)
    counted = _counted(shop)
    assert shop.conn.execute(statement).rowcount > 0

    found = shop.reload()

    assert_equal(before, actual(shop.conn))
    assert counted == _counted(shop)
    by_layer = {one.name: one.healed for one in found.layers}
    assert healed in (None, by_layer[layer])
    assert {name for name, number in by_layer.items() if number} == {layer}


def _counted(shop: Shop) -> list[list[tuple[Any, ...]]]:
    return [
        shop.all(f"SELECT t::text FROM cdm.{table} AS t ORDER BY 1")
        for name, mart in load_marts("food").items()
        for table in mart.tables
        if table != name
    ]


def test_counter_that_moved_while_the_vault_was_damaged_is_right_again(
    shop: Shop,
) -> None:
    """A cleared mart counts what it finds; only then the vault's row comes back."""
    before = actual(shop.conn)
    shop.conn.execute("DELETE FROM dds.s_order_version WHERE order_id < 20")
    for name in load_marts("food"):
        marts.rebuild(shop.settings, name, Caller.in_shell(name))

    shop.reload()

    assert_equal(before, actual(shop.conn))


def test_bytes_that_differ_are_an_alarm_and_stay(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    of_one = "right(topic, 4) = '_raw' AND kafka_partition = 0 AND kafka_offset = 1"
    (bytes_before,) = shop.all(f"SELECT message FROM stg.order_events WHERE {of_one}")
    shop.conn.execute(
        f"UPDATE stg.order_events SET message = message || ' ' WHERE {of_one}"
    )
    found = shop.reload()

    assert [layer.differing for layer in found.layers] == [1, 0, 0, 0]
    assert "[0] offset 1: the broker's bytes differ" in caplog.text
    assert "**Alarm: 1 row differs" in found.markdown()
    with pytest.raises(HistoryDiffersError):
        found.check()
    (incident,) = open_incidents(shop.conn)
    assert incident.kind is Kind.HISTORY
    assert incident.message.startswith("1 row differs from the layer before")
    (kept,) = shop.all(f"SELECT message FROM stg.order_events WHERE {of_one}")
    assert kept[0] == bytes_before[0] + b" "
    shop.conn.execute(
        f"UPDATE stg.order_events SET message = %s WHERE {of_one}", bytes_before
    )
    # Neither another week nor STG alone can tell that it is well again.
    shop.reload(start=WEEK + SEVEN_DAYS)
    shop.reload(source=ReadFrom.STG)
    assert open_incidents(shop.conn) == [incident]
    shop.reload(weeks=2)
    assert open_incidents(shop.conn) == []


def test_row_of_the_vault_that_says_something_else_is_an_alarm_and_stays(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    for change, back in (
        (
            "dds.s_order_cost SET cost = cost + 1",
            "dds.s_order_cost SET cost = cost - 1",
        ),
        (
            "dds.s_order_version SET status = 'OPEN'",
            "dds.s_order_version SET status = 'CLOSED'",
        ),
    ):
        shop.conn.execute(f"UPDATE {change} WHERE order_id = 7")
        found = shop.reload()
        assert [layer.differing for layer in found.layers] == [0, 1, 0, 0]
        shop.conn.execute(f"UPDATE {back} WHERE order_id = 7")
    assert "dds.s_order_cost differs from what its message says, at 7" in caplog.text
    assert shop.reload().differing == 0


def test_only_its_week_is_looked_at(shop: Shop) -> None:
    shop.conn.execute(
        "DELETE FROM stg.order_events"
        " WHERE right(topic, 4) = '_raw' AND kafka_offset = 25"
    )
    assert shop.reload(weeks=2).healed == 0
    assert shop.reload(start=WEEK + 2 * SEVEN_DAYS).layers[0].healed == 2


def test_report_is_kept_as_rows_and_as_markdown(shop: Shop) -> None:
    caller = Caller.in_shell("reload")
    found = reload.run_all(
        shop.settings, FOOD, caller, Request(WEEK, WEEK + SEVEN_DAYS, ReadFrom.AUTO)
    )

    assert found.positions == 22
    assert found.not_on_broker == 0
    assert [(one.name, one.compared, one.refused) for one in found.layers][:2] == [
        ("messages", 22, 0),
        ("vault", 22, 1),
    ]
    query = (
        "SELECT layer, compared, healed, differing, refused FROM ops.reloads"
        " INNER JOIN ops.reload_layers USING (reload_id) WHERE run_id = %s"
        " ORDER BY layer"
    )
    rows = shop.conn.execute(query, (caller.run_id,)).fetchall()
    assert rows == sorted(
        (one.name, one.compared, one.healed, one.differing, one.refused)
        for one in found.layers
    )
    ((text,),) = shop.conn.execute(
        "SELECT report FROM ops.reloads WHERE run_id = %s", (caller.run_id,)
    ).fetchall()
    assert text == found.markdown()
    assert "Every layer is equal to the one before it." in text
    json.dumps(found.as_dict())


def test_stg_alone_needs_no_broker(shop: Shop) -> None:
    nowhere = shop.settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    shop.conn.execute("DELETE FROM dds.s_order_cost WHERE order_id = 5")

    found = shop.reload(source=ReadFrom.STG, settings=nowhere)

    assert [layer.healed for layer in found.layers] == [0, 1, 0, 0]
    assert found.not_on_broker == 22


def test_one_odd_broker_time_does_not_draw_in_what_lies_between(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.landing.intervals._ISLANDS_APART", 5)
    of_one = "right(topic, 4) = '_raw' AND kafka_partition = 1 AND kafka_offset = 28"
    before = shop.all(f"SELECT broker_dt FROM stg.order_events WHERE {of_one}")
    shop.conn.execute(
        f"UPDATE stg.order_events SET broker_dt = '2023-08-08' WHERE {of_one}"
    )
    assert shop.reload(source=ReadFrom.STG).positions == 23
    (right,) = before[0]
    shop.conn.execute(
        f"UPDATE stg.order_events SET broker_dt = %s WHERE {of_one}", (right,)
    )


def test_live_stages_may_be_held_meanwhile(shop: Shop) -> None:
    """Messages and vault rows are looked at beside the live stages, not after them."""
    shop.conn.execute("DELETE FROM dds.s_order_cost WHERE order_id = 5")
    request = Request(WEEK, WEEK + SEVEN_DAYS)
    caller = Caller.in_shell("reload")
    with (
        open_run(shop.settings, "drain", Caller.in_shell("drain")),
        open_run(shop.settings, "vault", Caller.in_shell("vault")),
    ):
        reload.run(shop.settings, FOOD, caller, reload.MESSAGES, request)
        outcome = reload.run(shop.settings, FOOD, caller, reload.VAULT, request)
    assert outcome.counts["s_order_cost"] == 1


def test_no_watermark_moves(shop: Shop) -> None:
    stages = ("drain", "vault", *(mart.stage for mart in load_marts("food").values()))
    before = [watermarks(shop.conn, stage) for stage in stages]
    shop.reload(weeks=3)
    assert [watermarks(shop.conn, stage) for stage in stages] == before


def test_layer_without_a_plan_says_what_to_clear(shop: Shop) -> None:
    with pytest.raises(NotFoundError, match="Clear its task `messages`"):
        reload.run(
            shop.settings,
            FOOD,
            Caller.in_shell("vault"),
            reload.VAULT,
            Request(WEEK, WEEK + SEVEN_DAYS),
        )


def test_backfill_of_the_stream_heals_each_layer(shop: Shop) -> None:
    before = actual(shop.conn)
    shop.conn.execute("DELETE FROM stg.order_events WHERE kafka_offset = 2")
    shop.conn.execute("DELETE FROM dds.s_order_item WHERE order_id < 20")
    shop.conn.execute(f"DELETE FROM {PRODUCTS}")
    interval = (WEEK, WEEK + SEVEN_DAYS)

    def caller(stage: str) -> Any:
        return type(Caller.in_shell(stage))(
            "orders_stream", "tick", stage, -1, 1, interval
        )

    outcomes = [
        run(shop.settings, FOOD, caller("drain"), Limits()),
        vault.run(shop.settings, FOOD, caller("vault")),
        *(marts.run(shop.settings, name, caller(name)) for name in load_marts("food")),
    ]

    assert_equal(before, actual(shop.conn))
    assert outcomes[0].counts["healed"] == 2
    assert all(outcome.repeated for outcome in outcomes)
    # The same run again, as one that is reprocessed or cleared: nothing is to be done.
    again = vault.run(shop.settings, FOOD, caller("vault"))
    assert again.counts["s_order_item"] == 0
    assert again.repeated


class TimeLimitError(BaseException):
    """Stands for what ends a reload from outside, right after a batch."""


def _killed(_: str, __: Batch) -> None:
    raise TimeLimitError


def _done(shop: Shop, run_id: str) -> dict[str, tuple[Any, ...]]:
    """Return what each stage of a reload has done, by the ledger."""
    return {
        stage: numbers
        for stage, *numbers in shop.conn.execute(
            "SELECT stage, batches, positions, guests, finished_dt IS NOT NULL"
            " FROM ops.v_reload_progress WHERE run_id = %s",
            (run_id,),
        )
    }


def test_reload_killed_after_every_batch_ends_and_does_each_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.marts.gathered._CHUNK", 20)
    request = Request(WEEK, WEEK + SEVEN_DAYS)
    whole = shop.reload()
    caller = Caller.in_shell("reload")
    shop.conn.execute("DELETE FROM dds.s_order_cost WHERE order_id IN (1, 19)")
    shop.conn.execute(f"UPDATE {PRODUCTS} SET order_cnt = order_cnt + 1")
    attempts = 0
    found = None
    while not found:
        attempts += 1
        who = (
            reload.interrupted(shop.settings, caller, request)
            if attempts > 1
            else caller
        )
        try:
            found = reload.run_all(
                shop.settings, FOOD, replace(who, on_batch=_killed), request
            )
        except TimeLimitError:
            continue

    assert who.run_id == caller.run_id
    done = _done(shop, caller.run_id)
    assert {stage: numbers[1:] for stage, numbers in done.items()} == {
        "drain:reload": [22, 0, True],
        "vault:reload": [22, 0, True],
        **{mart.stage: [0, 8, True] for mart in load_marts("food").values()},
    }
    assert attempts > 8
    assert found.healed == 2 + shop.all(f"SELECT count(*) FROM {PRODUCTS}")[0][0]
    assert [(one.name, one.compared, one.refused) for one in found.layers] == [
        (one.name, one.compared, one.refused) for one in whole.layers
    ]
    shorter = Request(WEEK, WEEK + timedelta(days=1))
    with pytest.raises(NotFoundError, match="Leave --resume out"):
        reload.interrupted(shop.settings, caller, shorter)
    assert shop.reload().healed == 0


def test_cleared_messages_begin_the_whole_reload_anew(shop: Shop) -> None:
    caller = Caller.in_shell("reload")
    request = Request(WEEK, WEEK + SEVEN_DAYS)
    reload.run_all(shop.settings, FOOD, caller, request)
    before = _done(shop, caller.run_id)

    reload.run(shop.settings, FOOD, caller, reload.MESSAGES, request)
    assert _done(shop, caller.run_id) == {"drain:reload": before["drain:reload"]}
    reload.run(shop.settings, FOOD, caller, reload.VAULT, request)
    assert _done(shop, caller.run_id)["vault:reload"] == before["vault:reload"]
    # A layer that was cleared by itself does its own work anew.
    reload.run(shop.settings, FOOD, caller, reload.VAULT, request)
    assert _done(shop, caller.run_id)["vault:reload"] == before["vault:reload"]


def test_other_times_in_the_form_begin_anew(shop: Shop) -> None:
    caller = Caller.in_shell("reload")
    with pytest.raises(TimeLimitError):
        reload.run(
            shop.settings,
            FOOD,
            replace(caller, on_batch=_killed),
            reload.MESSAGES,
            Request(WEEK, WEEK + SEVEN_DAYS),
        )
    longer = Request(WEEK, WEEK + 2 * SEVEN_DAYS)
    reload.run(shop.settings, FOOD, caller, reload.MESSAGES, longer)
    _, positions, *_ = _done(shop, caller.run_id)["drain:reload"]
    assert positions == 43


def test_versions_that_come_during_a_recount_are_counted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New ones, and old ones that another reload puts back below all watermarks."""
    monkeypatch.setattr("palate.marts.gathered._CHUNK", 1)  # a chunk for each guest
    before = actual(shop.conn)
    # Not of the first guest: he is counted by the time the versions come back.
    deleted = (
        "DELETE FROM dds.s_order_version WHERE order_id > 50 AND h_user_pk <>"
        " (SELECT min(h_user_pk::text)::uuid FROM dds.s_order_version)"
    )
    shop.conn.execute(deleted)
    caller = Caller.in_shell("reload")
    other = replace(caller, run_id="another")
    request = Request(WEEK, WEEK + 3 * SEVEN_DAYS)
    # As they are without these versions; then they are there again.
    for name in load_marts("food"):
        marts.rebuild(shop.settings, name, Caller.in_shell(name))
    for layer in (reload.MESSAGES, reload.VAULT):
        reload.run(shop.settings, FOOD, caller, layer, request)
    shop.conn.execute(deleted)
    reload.run(shop.settings, FOOD, other, reload.MESSAGES, request)
    put_back = []

    def on_batch(stage: str, _: Batch) -> None:
        if not put_back:
            put_back.append(
                reload.run(shop.settings, FOOD, other, reload.VAULT, request)
            )

    for name in load_marts("food"):
        put_back.clear()
        shop.conn.execute(deleted)
        reload.run(
            shop.settings, FOOD, replace(caller, on_batch=on_batch), name, request
        )
        assert put_back[0].counts["s_order_version"] > 0

    assert_equal(before, actual(shop.conn))
    assert shop.reload(weeks=3).healed == 0

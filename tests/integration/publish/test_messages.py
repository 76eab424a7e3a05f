"""The exchange topics: enriched orders and whole counters, for older services."""

import json
from itertools import count
from typing import Any

import psycopg
import pytest
from kafka.admin import KafkaAdminClient
from psycopg import Connection

from palate.engine.outcome import Outcome
from palate.errors import ServiceUnavailableError
from palate.landing import drain, replays
from palate.landing.refusals import Selection
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.pipelines import run_pipeline
from palate.publish import stage as publish
from palate.settings import Settings
from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.integration.published import messages
from tests.integration.staged import (
    caller,
    load,
    stage_entries,
    stage_messages,
    with_topics,
)
from tests.model.history import ENRICHED_TOPIC, Entry, Form
from tests.unit.model.stories import (
    DAY_1,
    DAY_2,
    DAY_3,
    DAY_4,
    dish,
    enriched,
    guest,
    line,
    menu,
    raw,
)

_RUNS = count(1)

NAMES = [
    guest("u", DAY_1, "Котова Ольга", login="kotova_o"),
    menu("r", DAY_1, dish("pie", "Хачапури", category="Выпечка"), name="Кофейня №1"),
]


@pytest.fixture
def shop(warehouse: Settings) -> Settings:
    """Give a warehouse that publishes to exchange topics of its own."""
    name = next(iter(warehouse.palate_topics)).removesuffix("_raw")
    return with_topics(warehouse).model_copy(
        update={
            "palate_publish_orders_to": f"{name}_orders",
            "palate_publish_counters_to": f"{name}_counters",
        }
    )


def run(settings: Settings) -> Outcome:
    number = next(_RUNS)
    load(settings, f"run {number}")
    return publish.run(settings, caller("publish", f"run {number}"))


def orders(settings: Settings) -> list[dict[str, Any]]:
    """Return the payloads that were published, in order."""
    topic = settings.palate_publish_orders_to
    return [json.loads(one.value)["payload"] for one in messages(settings, topic)]


def counters(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the last counters of each guest."""
    topic = settings.palate_publish_counters_to
    return {
        one.key.decode(): json.loads(one.value) for one in messages(settings, topic)
    }


def waiting(conn: Connection) -> int:
    (number,) = conn.execute("SELECT count(*) FROM ops.order_waits").fetchone() or (0,)
    return int(number)


def test_order_is_published_in_its_enriched_form(
    shop: Settings, connection: Connection
) -> None:
    lines = [line("pie", 2, "180.50", name="as the order calls it"), line("pie", 1)]
    order = raw(1, lines, date=DAY_2, update_ts=DAY_3, cost="461.00", payment="0")
    stage_entries(shop, NAMES)
    stage_messages(connection, [order])

    run(shop)

    (record,) = messages(shop, shop.palate_publish_orders_to)
    assert record.key == b"1"
    assert list(record.headers) == [("palate-origin", b"palate")]
    pie = {"id": "pie", "name": "Хачапури", "category": "Выпечка"}
    assert json.loads(record.value) == {
        "object_id": 1,
        "object_type": "order",
        "payload": {
            "id": 1,
            "date": DAY_2,
            "cost": 461,
            "payment": 0,
            "status": "CLOSED",
            "restaurant": {"id": "r", "name": "Кофейня №1"},
            "user": {"id": "u", "name": "Котова Ольга", "login": "kotova_o"},
            "products": [
                pie | {"price": 180.5, "quantity": 2},
                pie | {"price": 100, "quantity": 1},
            ],
        },
    }


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(NAMES[0], id="guest"),
        pytest.param(NAMES[1], id="restaurant"),
    ],
)
def test_order_waits_for_its_entries(
    shop: Settings, connection: Connection, late: Entry
) -> None:
    stage_messages(connection, [raw(1, [line("pie")])])
    stage_entries(shop, [entry for entry in NAMES if entry != late])
    run(shop)
    run(shop)
    assert orders(shop) == []
    assert waiting(connection) > 0

    stage_entries(shop, [late])
    run(shop)

    assert [order["id"] for order in orders(shop)] == [1]
    assert waiting(connection) == 0


def test_order_waits_for_the_menu_that_has_its_dish(
    shop: Settings, connection: Connection
) -> None:
    stage_entries(shop, NAMES)
    stage_messages(connection, [raw(1, [line("new"), line("pie")])])
    run(shop)
    assert orders(shop) == []

    stage_entries(shop, [menu("r", DAY_2, dish("new", "Новое"), name="Кофейня")])
    run(shop)

    (order,) = orders(shop)
    # The menu names no category for it: there is none to wait for.
    new = {"id": "new", "name": "Новое", "price": 100, "quantity": 1}
    assert order["products"][0] == new
    assert order["products"][1]["category"] == "Выпечка"


def test_empty_category_is_one_and_an_order_without_dishes_is_one(
    shop: Settings, connection: Connection
) -> None:
    no_name = menu("r", DAY_1, dish("pie", "Соус", category=""), name="Кофейня")
    stage_entries(shop, [NAMES[0], no_name])
    stage_messages(connection, [raw(1, [line("pie")]), raw(2, offset=1)])

    run(shop)

    found = {order["id"]: order["products"] for order in orders(shop)}
    assert found[1][0]["category"] == ""
    assert found[2] == []


def test_moved_dish_has_the_category_of_its_orders_day(
    shop: Settings, connection: Connection
) -> None:
    moved = menu("r", DAY_3, dish("pie", "Пирог", category="Десерты"), name="Кофейня")
    stage_entries(shop, [*NAMES, moved])
    both = [
        raw(1, [line("pie")], date=DAY_2),
        raw(2, [line("pie")], date=DAY_4, offset=1),
    ]
    stage_messages(connection, both)

    run(shop)

    lines = {order["id"]: order["products"][0] for order in orders(shop)}
    assert lines[1] | {"price": 0} == lines[1] | {
        "name": "Пирог",
        "category": "Выпечка",
        "price": 0,
    }
    assert lines[2]["category"] == "Десерты"


def test_last_published_version_is_the_newest_one(
    shop: Settings, connection: Connection
) -> None:
    stage_entries(shop, NAMES)
    open_order = raw(1, status="OPEN", update_ts=DAY_2)
    stage_messages(connection, [open_order])
    run(shop)
    stage_messages(
        connection,
        [
            raw(1, status="CLOSED", update_ts=DAY_4, offset=1),
            raw(1, status="COOKING", update_ts=DAY_3, offset=2),
        ],
    )
    run(shop)
    stage_messages(connection, [raw(1, status="LATE", update_ts=DAY_1, offset=3)])
    run(shop)

    assert [order["status"] for order in orders(shop)] == ["OPEN", "CLOSED"]


def test_version_that_waits_gives_way_to_a_newer_one(
    shop: Settings, connection: Connection
) -> None:
    stage_messages(connection, [raw(1, status="OPEN", update_ts=DAY_2)])
    run(shop)
    newer = raw(1, status="CLOSED", user="v", update_ts=DAY_3, offset=1)
    stage_messages(connection, [newer])
    run(shop)
    stage_entries(shop, [NAMES[1], guest("v", DAY_1, "Другой")])
    run(shop)

    (order,) = orders(shop)
    assert (order["status"], order["user"]["id"]) == ("CLOSED", "v")
    assert waiting(connection) == 0


def test_what_came_on_the_very_topic_is_not_published_to_it(
    shop: Settings, connection: Connection
) -> None:
    same = shop.model_copy(update={"palate_publish_orders_to": ENRICHED_TOPIC})
    stage_entries(shop, NAMES)
    stage_messages(connection, [enriched(1, [line("pie")])])

    outcome = run(same)

    assert outcome.counts["orders_sent"] == 0
    assert waiting(connection) == 0


def test_names_of_an_enriched_order_do_where_there_is_no_entry(
    shop: Settings, connection: Connection
) -> None:
    order = enriched(
        1,
        [line("pie", name="Пирог", category="Своя")],
        user={"id": "u", "name": "Из заказа", "login": "x"},
        restaurant={"id": "r", "name": "Тоже"},
    )
    stage_messages(connection, [order])

    run(shop)

    (found,) = orders(shop)
    assert found["user"] == {"id": "u", "name": "Из заказа", "login": "x"}
    assert found["products"][0]["name"] == "Пирог"
    assert found["products"][0]["category"] == "Своя"


def test_refused_order_is_published_once_a_replay_accepts_it(
    shop: Settings, connection: Connection
) -> None:
    """Judged by the wrong form at first, as if the setting had been wrong."""
    stage_entries(shop, NAMES)
    order = raw(1, [line("pie")])
    stage_messages(connection, [order])
    wrong = with_topics(shop, {order.topic: Form.ENRICHED})
    vault.run(wrong, FOOD, caller("vault", "wrong"))
    run(shop)
    assert orders(shop) == []

    replays.run(shop, caller("replay"), Selection())
    run(shop)

    assert [found["id"] for found in orders(shop)] == [1]


def test_published_orders_make_the_same_marts_elsewhere(
    shop: Settings, connection: Connection, make_warehouse: Any
) -> None:
    stage_entries(shop, NAMES)
    sent = [
        raw(number, [line("pie", number), line("pie")], offset=number, user="u")
        for number in range(4)
    ]
    cancelled = raw(3, status="CANCELLED", update_ts=DAY_2, offset=4)
    stage_messages(connection, [*sent, cancelled])
    run(shop)
    query = (
        "SELECT user_id, category_id, category_name, order_cnt, pieces_cnt, amount"
        " FROM cdm.user_category_counters"
    )
    counted = connection.execute(query).fetchall()

    with make_warehouse() as other:
        values = [one.value for one in messages(shop, shop.palate_publish_orders_to)]
        topic = next(t for t, f in other.palate_topics.items() if f == Form.ENRICHED)
        admin = KafkaAdminClient(bootstrap_servers=other.kafka_bootstrap)
        Broker(other, admin).send(values, topic=topic)
        admin.close()
        drain.run(other, FOOD, caller("drain"))
        load(other)
        with psycopg.connect(other.dwh_dsn.get_secret_value()) as conn:
            assert conn.execute(query).fetchall() == counted


@pytest.fixture
def looping(warehouse: Settings) -> Settings:
    """Give a warehouse that publishes to the topic that it also reads."""
    topics = warehouse.palate_topics
    enriched_topic = next(t for t, form in topics.items() if form == Form.ENRICHED)
    return warehouse.model_copy(update={"palate_publish_orders_to": enriched_topic})


def test_what_palate_published_itself_is_no_input_again(
    looping: Settings, broker: Broker, connection: Connection
) -> None:
    stage_entries(looping, NAMES)
    number = 60  # enough for the alarm about a share of refused messages
    broker.send([raw(n, [line("pie")]).value for n in range(number)])

    for _ in range(4):
        list(run_pipeline(looping))

    topic = looping.palate_publish_orders_to
    assert len(messages(looping, topic)) == number
    query = "SELECT reason, count(*) FROM stg.rejected_messages GROUP BY reason"
    assert connection.execute(query).fetchall() == [("own_message", number)]
    query = "SELECT sum(order_cnt) FROM cdm.user_product_counters"
    assert connection.execute(query).fetchone() == (number,)
    query = "SELECT count(*) FROM stg.order_events WHERE topic = %s"
    assert connection.execute(query, (topic,)).fetchone() == (number,)


@pytest.fixture
def nobody(shop: Settings) -> Settings:
    return shop.model_copy(
        update={"kafka_bootstrap": "127.0.0.1:1", "palate_kafka_timeout": 1.0}
    )


def test_nothing_is_missing_after_the_broker_was_down(
    shop: Settings, nobody: Settings, connection: Connection
) -> None:
    stage_entries(shop, NAMES)
    stage_messages(connection, [raw(1, [line("pie")])])
    with pytest.raises(ServiceUnavailableError, match=r"_orders.*_counters"):
        run(nobody)

    outcome = run(shop)

    assert outcome.counts["orders_sent"] == outcome.counts["counters_sent"] == 1
    assert len(orders(shop)) == len(counters(shop)) == 1


def test_counters_of_a_guest_go_out_whole_after_each_change(
    shop: Settings, connection: Connection
) -> None:
    stage_entries(shop, NAMES)
    stage_messages(connection, [raw(1, [line("pie"), line("nameless")])])
    run(shop)
    keys = {
        name: str(key)
        for name, key in connection.execute(
            "SELECT user_id, h_user_pk FROM dds.h_user"
            " UNION ALL SELECT product_id, h_product_pk FROM dds.h_product"
            " UNION ALL SELECT category_name, h_category_pk FROM dds.h_category"
        )
    }
    assert counters(shop)["u"] == {
        "user_id": keys["u"],
        "categories": {keys["Выпечка"]: {"category_name": "Выпечка", "order_cnt": 1}},
        "products": {
            keys["pie"]: {"product_name": "Хачапури", "order_cnt": 1},
            keys["nameless"]: {"product_name": None, "order_cnt": 1},
        },
    }

    stage_messages(connection, [raw(1, status="CANCELLED", update_ts=DAY_2, offset=1)])
    run(shop)
    nothing = {"user_id": keys["u"], "categories": {}, "products": {}}
    assert counters(shop)["u"] == nothing
    assert run(shop).counts["counters_sent"] == 0


def test_renamed_or_moved_dish_sends_the_counters_of_who_had_it(
    shop: Settings, connection: Connection
) -> None:
    stage_entries(shop, NAMES)
    stage_messages(
        connection,
        [raw(1, [line("pie")]), raw(2, [line("other")], user="v", offset=1)],
    )
    run(shop)
    new = menu("r", DAY_1, dish("pie", "Пирог", category="Десерты"), name="Кофейня")
    stage_entries(shop, [new])

    outcome = run(shop)

    assert outcome.counts["counters_sent"] == 1
    (product,) = counters(shop)["u"]["products"].values()
    assert product["product_name"] == "Пирог"
    (category,) = counters(shop)["u"]["categories"].values()
    assert category["category_name"] == "Десерты"


def test_rebuilt_mart_sends_everybodys_counters(
    shop: Settings, connection: Connection
) -> None:
    stage_entries(shop, NAMES)
    stage_messages(connection, [raw(1, [line("pie")])])
    run(shop)
    connection.execute("UPDATE cdm.user_product_counters SET order_cnt = 7")
    for name in load_marts("food"):
        marts.rebuild(shop, name, caller("rebuild"))

    run(shop)

    (product,) = counters(shop)["u"]["products"].values()
    assert product["order_cnt"] == 1


def test_nothing_is_noted_while_a_topic_is_not_asked_for(
    shop: Settings, connection: Connection
) -> None:
    off = {"palate_publish_orders_to": "", "palate_publish_counters_to": ""}
    stage_messages(connection, [raw(1, [line("pie")])])

    run(shop.model_copy(update=off))

    for table in ("order_waits", "counters_waiting"):
        query = f"SELECT count(*) FROM ops.{table}"
        assert connection.execute(query).fetchone() == (0,)

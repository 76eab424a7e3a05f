"""The vault stage beside what the model compares: settings, lanes, its own messages."""

from dataclasses import replace

import psycopg
import pytest
from kafka import KafkaProducer
from psycopg import Connection, sql

from palate.database import connect
from palate.errors import WarehouseError
from palate.landing import dictionaries
from palate.pipelines import run_pipeline
from palate.positions.ranges import FeedPartition
from palate.positions.watermark import watermarks
from palate.schema.migrate import migrate
from palate.settings import Settings
from palate.vault import stage as vault
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.integration.emptied import Emptied
from tests.integration.staged import (
    caller,
    load,
    stage_entries,
    stage_messages,
    with_topics,
)
from tests.integration.ties import STORIES
from tests.model.compare import actual, assert_equal, expected
from tests.model.history import Form, History
from tests.unit.model.stories import DAY_1, guest, line, raw


def test_messages_of_a_topic_without_a_form_wait(
    warehouse: Settings, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A topic that was taken out of the settings must not lose what it had staged."""
    stage_messages(connection, [raw(1, topic="known"), raw(2, topic="dropped")])
    known = {"known": Form.RAW}
    vault.run(with_topics(warehouse, known), FOOD, caller("vault", "without"))

    query = "SELECT order_id FROM dds.h_order ORDER BY order_id"
    assert connection.execute(query).fetchall() == [(1,)]
    assert watermarks(connection, FOOD.vault) == {FeedPartition("known", 0, 0): 1}
    assert "Messages of dropped wait in STG" in caplog.text

    both = {**known, "dropped": Form.RAW}
    vault.run(with_topics(warehouse, both), FOOD, caller("vault", "with"))
    assert connection.execute(query).fetchall() == [(1,), (2,)]


DEFAULTS = {
    "timezone": "Asia/Tokyo",
    "datestyle": "SQL, DMY",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "default_transaction_isolation": "serializable",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "plan_cache_mode": "force_generic_plan",
}


def test_defaults_of_the_database_change_nothing(
    warehouse: Settings, connection: Connection
) -> None:
    settings = with_topics(warehouse)
    story = STORIES["late_older_version_with_an_earlier_date"]
    messages = [
        replace(message, partition=number)
        for number, message in enumerate(story.messages)
    ]
    for name, value in DEFAULTS.items():
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET {} TO {}").format(
                sql.Identifier(connection.info.dbname),
                sql.Identifier(name),
                sql.SQL(value) if "," in value else sql.Literal(value),
            )
        )
    stage_messages(connection, messages)
    stage_entries(settings, story.entries)
    load(settings, "task")
    outcomes = load(settings, "task")

    with psycopg.connect(settings.dwh_dsn.get_secret_value()) as other:
        assert other.execute("SHOW timezone").fetchone() == ("Asia/Tokyo",)
    assert_equal(expected(History(tuple(messages), story.entries)), actual(connection))
    assert migrate(settings) == []
    with connect(settings) as conn, conn.transaction():
        entry = guest("u", DAY_1, name="a \\ b")
        dictionaries.check_entries(conn, [entry.id], [entry.value])
        problems = conn.execute("SELECT problem FROM judged_entries").fetchall()
    assert problems == [(None,)]
    assert outcomes["vault"].repeated > 0
    assert outcomes["vault"].counts["s_order_cost"] == 0


def test_lanes_side_by_side_load_what_one_lane_loads(
    emptied: Emptied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every partition names the same guests, dishes and orders at once."""
    monkeypatch.setattr(vault, "_LEAST_PER_LOADER", 20)
    messages = [
        raw(
            offset % 40,
            [line(f"dish {(offset + number) % 30}") for number in range(3)],
            user=f"guest {offset % 20}",
            update_ts=f"2023-08-0{1 + partition} 10:00:{offset % 60:02}",
            partition=partition,
            offset=offset,
        )
        for partition in range(4)
        for offset in range(100)
    ]
    history = History(tuple(messages))
    for lanes in (4, 1):
        emptied.empty()
        stage_messages(emptied.conn, messages)
        settings = emptied.settings.model_copy(update={"palate_vault_lanes": lanes})
        outcomes = load(settings)
        assert (outcomes["vault"].batches > 4) is (lanes > 1)
        assert_equal(expected(history), actual(emptied.conn))


def test_failing_lane_fails_the_run_and_the_next_one_goes_on(
    emptied: Emptied, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied.empty()
    monkeypatch.setattr(vault, "_LEAST_PER_LOADER", 10)
    messages = [
        raw(100 * partition + offset, partition=partition, offset=offset)
        for partition in range(3)
        for offset in range(60)
    ]
    stage_messages(emptied.conn, messages)
    settings = emptied.settings.model_copy(update={"palate_vault_lanes": 3})
    emptied.conn.execute(
        "ALTER TABLE dds.h_order ADD CONSTRAINT fault CHECK (order_id <> 130)"
    )
    with pytest.raises(WarehouseError, match="h_order refuses a row by fault"):
        vault.run(settings, FOOD, caller("vault", "task"))
    emptied.conn.execute("ALTER TABLE dds.h_order DROP CONSTRAINT fault")
    done = watermarks(emptied.conn, FOOD.vault)
    assert done.get(FeedPartition("order-service_orders", 0, 1), 0) <= 30

    load(settings, "task")

    assert_equal(expected(History(tuple(messages))), actual(emptied.conn))


def test_time_of_a_record_is_compared_where_there_is_one(
    warehouse: Settings, connection: Connection, broker: Broker
) -> None:
    """A client that sends seconds is told by what it sent."""
    broker.send([raw(1).value], timestamp_ms=1_691_820_435)
    broker.send([raw(2).value], timestamp_ms=-1)

    list(run_pipeline(warehouse))

    rows = connection.execute("SELECT reason, detail FROM stg.rejected_messages")
    assert rows.fetchall() == [
        (
            "version_in_future",
            "the version time 2023-08-01 10:00:00 is more than one day after the"
            " broker time 1970-01-20 13:57:00",
        )
    ]
    assert connection.execute("SELECT order_id FROM dds.h_order").fetchall() == [(2,)]


def test_message_that_palate_published_itself_is_refused(
    warehouse: Settings, connection: Connection, producer: KafkaProducer
) -> None:
    topic = next(iter(warehouse.palate_topics))
    headers = [("trace", b"x"), ("palate-origin", b"1")]
    producer.send(topic, raw(1).value, headers=headers)
    producer.send(topic, raw(2).value, headers=headers[:1])
    producer.flush()

    list(run_pipeline(warehouse))

    rows = connection.execute("SELECT reason, detail FROM stg.rejected_messages")
    assert rows.fetchall() == [
        ("own_message", "the header palate-origin says that Palate published it")
    ]
    assert connection.execute("SELECT order_id FROM dds.h_order").fetchall() == [(2,)]

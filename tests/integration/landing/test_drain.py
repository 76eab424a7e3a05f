"""Drain, with a real broker: every message once, whatever the broker or a run does."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import kafka.codec
import psycopg
import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer
from psycopg import Connection

from deploy.local.ports import Ports
from palate.clients.kafka_reader import open_reader
from palate.database import Cursor, connect
from palate.engine.outcome import Caller, Outcome
from palate.engine.stage import open_run
from palate.errors import (
    CodecMissingError,
    PositionGapError,
    RequestError,
    ServiceUnavailableError,
    StageBusyError,
    TopicMissingError,
    WarehouseError,
    WatermarkMovedError,
)
from palate.landing import drain as staging
from palate.landing.drain import Limits
from palate.monitoring import backlog
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import advance, watermarks
from palate.settings import Settings
from tests.food import FOOD
from tests.integration.broker import Broker
from tests.model.history import Form
from tests.warehouses import MakeWarehouse

NOW = datetime.now(UTC).replace(microsecond=0)


def drain(
    settings: Settings,
    run_id: str = "run",
    limits: Limits | None = None,
    **more: object,
) -> Outcome:
    caller = Caller("test", run_id, "drain", **more)  # type: ignore[arg-type]
    return staging.run(settings, FOOD, caller, limits)


def staged(connection: Connection, columns: str = "message") -> list[tuple]:
    return connection.execute(
        f"SELECT {columns} FROM stg.order_events"
        " ORDER BY topic, epoch, kafka_partition, kafka_offset"
    ).fetchall()


def numbered(count: int, start: int = 0, size: int = 0) -> list[bytes]:
    return [b"%d" % number + b" " * size for number in range(start, start + count)]


def test_message_is_staged_as_it_is(broker: Broker, connection: Connection) -> None:
    headers: list[tuple[str, bytes | None]]
    headers = [("a", b"\xff"), ("a", None), ("palate-origin", b"")]
    stamp = int(NOW.timestamp() * 1000) + 7
    # kafka-python sends no header without a value.
    other_client = Producer({"bootstrap.servers": broker.settings.kafka_bootstrap})
    other_client.produce(
        broker.raw,
        b"\x00\xff{",
        key=b"\x00key",
        partition=0,
        headers=headers,
        timestamp=stamp,
    )
    assert other_client.flush(10) == 0
    broker.send([None, b""], key=b"", timestamp_ms=stamp)
    broker.send([b"plain"], timestamp_ms=stamp)

    outcome = drain(broker.settings)

    assert outcome.counts == {"messages": 4}
    assert outcome.ranges == {FeedPartition(broker.raw, 0, 0): (0, 4)}
    rows = staged(
        connection, "kafka_offset, broker_dt, message, kafka_key, headers, epoch"
    )
    sent_at = NOW + timedelta(milliseconds=7)
    packed = [
        [name, None if value is None else base64.b64encode(value).decode()]
        for name, value in headers
    ]
    assert [row[:4] + row[5:] for row in rows] == [
        (0, sent_at, b"\x00\xff{", b"\x00key", 0),
        (1, sent_at, None, b"", 0),
        (2, sent_at, b"", b"", 0),
        (3, sent_at, b"plain", None, 0),
    ]
    assert json.loads(rows[0][4]) == packed
    assert [row[4] for row in rows[1:]] == [None, None, None]


def test_nothing_on_the_broker_is_nothing_to_do(warehouse: Settings) -> None:
    outcome = drain(warehouse)
    assert str(outcome) == "drain: nothing to do."
    assert outcome.as_dict()["outcome"] == "nothing"


def test_second_run_finds_nothing(broker: Broker, connection: Connection) -> None:
    broker.send(numbered(3))
    drain(broker.settings, "first")
    assert str(drain(broker.settings, "second")) == "drain: nothing to do."
    assert len(staged(connection)) == 3


def test_idle_run_has_no_statement_for_each_partition(
    make_warehouse: MakeWarehouse,
    producer: KafkaProducer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the partitions are empty."""
    numbers = []
    for partitions in (2, 20):
        with make_warehouse(partitions) as settings:
            for topic in settings.palate_topics:
                for partition in range(0, partitions, 2):
                    producer.send(topic, b"x", partition=partition)
            producer.flush()
            for run_id in ("all of it", "nothing"):
                drain(settings, run_id)
            statements: list[str] = []

            def noting(
                self: Cursor, query: str, *values: Any, **options: Any
            ) -> Cursor:
                statements.append(query)  # noqa: B023 - called in this round only
                return psycopg.Cursor.execute(self, query, *values, **options)

            with monkeypatch.context() as patch:
                patch.setattr(Cursor, "execute", noting)
                assert drain(settings, "idle").batches == 0
            numbers.append(len(statements))

    assert numbers[0] == numbers[1]
    assert numbers[0] < 30


def test_cleared_run_that_took_nothing_names_the_run_that_did(
    broker: Broker, connection: Connection
) -> None:
    broker.send(numbered(2))
    drain(broker.settings, "earlier")
    broker.send(numbered(1))
    drain(broker.settings, "quicker")
    assert drain(broker.settings, "seen").note == ""
    broker.send(numbered(1))
    drain(broker.settings, "later")

    note = drain(broker.settings, "seen", try_number=2).note

    assert note.startswith("This run has taken nothing")
    assert f"{broker.raw}[0] 2..2 by quicker." in note
    assert "earlier" not in note
    assert "later" not in note


def test_unknown_partition_is_named_with_those_there(broker: Broker) -> None:
    with pytest.raises(RequestError, match=r"no partition 99\. There are: 0, 1"):
        drain(broker.settings, limits=Limits(partitions=(0, 99)))


def test_both_topics_and_all_partitions_are_read(
    broker: Broker, connection: Connection
) -> None:
    for topic in (broker.raw, broker.enriched):
        for partition in (0, 1):
            broker.send(numbered(2), topic=topic, partition=partition)

    drain(broker.settings)

    assert staged(connection, "topic, kafka_partition, kafka_offset") == [
        (topic, partition, offset)
        for topic in sorted([broker.raw, broker.enriched])
        for partition in (0, 1)
        for offset in (0, 1)
    ]


def test_new_partition_is_read_from_its_beginning(
    broker: Broker, connection: Connection
) -> None:
    broker.send(numbered(2))
    drain(broker.settings, "before")
    broker.add_partitions(4)
    broker.send(numbered(2), partition=3)

    outcome = drain(broker.settings, "after")

    assert outcome.ranges == {FeedPartition(broker.raw, 0, 3): (0, 2)}
    assert len(staged(connection)) == 4


def test_topic_that_is_missing_is_named_with_those_there(
    broker: Broker, connection: Connection
) -> None:
    settings = broker.settings.model_copy(
        update={"palate_topics": {"no-such-topic": Form.RAW}}
    )
    with pytest.raises(TopicMissingError) as error:
        drain(settings)

    assert "has no topic no-such-topic" in str(error.value)
    assert broker.raw in str(error.value)
    assert broker.enriched in str(error.value)
    assert error.value.exit_code == 4
    outcomes = connection.execute("SELECT outcome, error FROM ops.stage_runs")
    assert outcomes.fetchall() == [("failed", str(error.value))]
    assert watermarks(connection, FOOD.drain) == {}


def test_broker_that_does_not_answer_is_named(warehouse: Settings) -> None:
    nobody = f"127.0.0.1:{Ports.free().kafka}"
    settings = warehouse.model_copy(
        update={"kafka_bootstrap": nobody, "palate_kafka_timeout": 1.0}
    )
    with pytest.raises(ServiceUnavailableError, match=nobody) as error:
        drain(settings)
    assert error.value.exit_code == 3


def test_offsets_that_are_gone_stop_their_partition_only(
    broker: Broker, connection: Connection
) -> None:
    broker.send(numbered(10))
    drain(broker.settings, "before")
    broker.send(numbered(10, start=10))
    broker.send(numbered(3), partition=1)
    broker.delete_records(before=15)

    with pytest.raises(PositionGapError) as error:
        drain(broker.settings, "after")

    assert f"{broker.raw}[0]: offsets 10 to 14 are gone" in str(error.value)
    assert error.value.exit_code == 5
    assert len(staged(connection)) == 13
    assert watermarks(connection, FOOD.drain) == {
        FeedPartition(broker.raw, 0, 0): 10,
        FeedPartition(broker.raw, 0, 1): 3,
    }


def test_first_run_begins_where_the_broker_begins(
    broker: Broker, connection: Connection
) -> None:
    broker.send(numbered(10))
    broker.delete_records(before=4)

    outcome = drain(broker.settings)

    assert outcome.ranges == {FeedPartition(broker.raw, 0, 0): (4, 10)}
    assert len(staged(connection)) == 6


@pytest.mark.parametrize("count", [2, 5], ids=["shorter", "longer"])
def test_topic_made_anew_begins_an_epoch(
    broker: Broker,
    connection: Connection,
    caplog: pytest.LogCaptureFixture,
    count: int,
) -> None:
    broker.send(numbered(3))
    drain(broker.settings, "before")
    broker.make_anew()
    broker.send(numbered(count, start=100))

    with connect(broker.settings) as conn, open_reader(broker.settings) as reader:
        seen = backlog.measure(conn, reader, [broker.raw]).logs
    waiting = {item: ends.end - ends.first for item, ends in seen.items()}
    assert waiting == {
        FeedPartition(broker.raw, 1, 0): count,
        FeedPartition(broker.raw, 1, 1): 0,
    }
    outcome = drain(broker.settings, "after")

    assert outcome.ranges == {FeedPartition(broker.raw, 1, 0): (0, count)}
    assert staged(connection, "epoch, kafka_offset, message") == [
        *[(0, offset, b"%d" % offset) for offset in range(3)],
        *[(1, offset, b"%d" % (100 + offset)) for offset in range(count)],
    ]
    assert f"Topic {broker.raw} was deleted and created anew" in caplog.text
    assert str(drain(broker.settings, "again")) == "drain: nothing to do."


def test_transactions_count_when_they_are_committed(
    broker: Broker, connection: Connection
) -> None:
    producer = broker.producer(transactional_id=broker.raw)
    producer.init_transactions()
    for values, end in (
        (numbered(3), producer.commit_transaction),
        ([b"aborted"] * 2, producer.abort_transaction),
        ([b"last"], producer.commit_transaction),
    ):
        producer.begin_transaction()
        broker.send(values, producer=producer)
        end()
    producer.close()

    outcome = drain(broker.settings)

    assert [value for (value,) in staged(connection)] == [*numbered(3), b"last"]
    # Three markers and two aborted messages have offsets too.
    assert outcome.ranges == {FeedPartition(broker.raw, 0, 0): (0, 9)}
    assert str(drain(broker.settings, "again")) == "drain: nothing to do."


def test_markers_alone_move_the_position(
    broker: Broker, connection: Connection
) -> None:
    producer = broker.producer(transactional_id=broker.raw)
    producer.init_transactions()
    producer.begin_transaction()
    broker.send([b"aborted"], producer=producer)
    producer.abort_transaction()
    producer.close()

    outcome = drain(broker.settings)

    assert outcome.counts == {"messages": 0}
    assert outcome.ranges == {FeedPartition(broker.raw, 0, 0): (0, 2)}
    assert staged(connection) == []
    assert str(drain(broker.settings, "again")) == "drain: nothing to do."


def test_open_transaction_waits(broker: Broker, connection: Connection) -> None:
    broker.send([b"before"])
    producer = broker.producer(transactional_id=broker.raw)
    producer.init_transactions()
    producer.begin_transaction()
    broker.send([b"open"], producer=producer)
    broker.send([b"behind it"])

    drain(broker.settings, "while it is open")
    assert staged(connection) == [(b"before",)]

    producer.commit_transaction()
    producer.close()
    drain(broker.settings, "after")
    assert staged(connection) == [(b"before",), (b"open",), (b"behind it",)]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_messages_are_read(
    broker: Broker, connection: Connection, codec: str
) -> None:
    producer = broker.producer(compression_type=codec)
    broker.send(numbered(50, size=100), producer=producer)
    producer.close()

    drain(broker.settings)

    assert [value for (value,) in staged(connection)] == numbered(50, size=100)


def test_codec_that_is_not_installed_is_named_and_nothing_is_taken(
    broker: Broker, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = broker.producer(compression_type="zstd")
    broker.send(numbered(5, size=100), producer=producer)  # less would not shrink
    producer.close()
    # What kafka-python asks before it unpacks a batch.
    monkeypatch.setattr(kafka.codec, "has_zstd", lambda: False)

    with pytest.raises(CodecMissingError, match="zstd") as error:
        drain(broker.settings, "without")

    assert error.value.exit_code == 6
    assert staged(connection) == []
    assert watermarks(connection, FOOD.drain) == {}

    monkeypatch.undo()
    drain(broker.settings, "with")
    assert len(staged(connection)) == 5


def test_large_message_is_staged_whole(broker: Broker, connection: Connection) -> None:
    broker.configure(max_message_bytes=str(16 * 2**20))
    producer = broker.producer(max_request_size=16 * 2**20)
    value = b"x" * (12 * 2**20)
    broker.send([b"before", value, b"after"], producer=producer)
    producer.close()

    drain(broker.settings)

    assert staged(connection, "length(message)") == [(6,), (len(value),), (5,)]


def test_broker_time_beyond_all_years_is_the_last_one(
    broker: Broker, connection: Connection
) -> None:
    broker.configure(message_timestamp_after_max_ms=str(2**63 - 1))
    broker.send([b"far"], timestamp_ms=2**62)

    drain(broker.settings)

    assert staged(connection, "broker_dt::text") == [("9999-12-31 23:59:59+00",)]


def test_chunk_ends_at_its_number_of_messages(
    broker: Broker, connection: Connection
) -> None:
    broker.send(numbered(250))
    settings = broker.settings.model_copy(update={"palate_drain_messages": 100})

    outcome = drain(settings)

    assert outcome.batches == 3
    counts = connection.execute("SELECT counts ->> 'messages' FROM ops.batches")
    assert [int(count) for (count,) in counts] == [100, 100, 50]


def test_chunk_ends_at_its_bytes(broker: Broker, connection: Connection) -> None:
    broker.send(numbered(60, size=400_000))
    settings = broker.settings.model_copy(update={"palate_drain_bytes": 2**20})

    outcome = drain(settings)

    # Give or take what comes in one poll, which is some megabytes.
    assert outcome.batches >= 3
    assert len(staged(connection)) == 60


def test_run_takes_no_more_than_its_limits(
    broker: Broker, connection: Connection
) -> None:
    for partition in (0, 1):
        broker.send(numbered(50), partition=partition)
        broker.send(numbered(50), partition=partition, topic=broker.enriched)

    limits = Limits(topics=(broker.raw,), partitions=(1,), messages=10)
    outcome = drain(broker.settings, "limited", limits)
    assert outcome.counts == {"messages": 10}
    assert outcome.ranges == {FeedPartition(broker.raw, 0, 1): (0, 10)}
    assert "Stopped at a limit" in str(outcome)

    outcome = drain(broker.settings, "no time", Limits(seconds=1e-9))
    assert outcome.batches == 0
    assert "Stopped at a limit" in str(outcome)

    outcome = drain(broker.settings, "the rest")
    assert outcome.counts == {"messages": 190}
    assert len(staged(connection)) == 200


def test_repeat_of_a_finished_task_heals_and_compares(
    broker: Broker, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    broker.send(numbered(10))
    drain(broker.settings, "task")
    broker.send([b"not this task's"])
    connection.execute("DELETE FROM stg.order_events WHERE kafka_offset IN (2, 9)")
    connection.execute(
        "UPDATE stg.order_events SET message = 'other' WHERE kafka_offset = 5"
    )

    outcome = drain(broker.settings, "task", try_number=2)

    assert outcome.counts == {"compared": 10, "healed": 2, "differing": 1}
    assert outcome.repeated == outcome.batches == 1
    expected = [(value,) for value in numbered(10)]
    expected[5] = (b"other",)
    assert staged(connection) == expected
    assert f"{broker.raw}[0] offset 5: the broker's bytes differ" in caplog.text
    assert watermarks(connection, FOOD.drain) == {FeedPartition(broker.raw, 0, 0): 10}


def test_retry_of_a_failed_task_goes_on(broker: Broker, connection: Connection) -> None:
    broker.send(numbered(30))
    settings = broker.settings.model_copy(update={"palate_drain_messages": 10})
    connection.execute(
        "ALTER TABLE stg.order_events ADD CONSTRAINT fault CHECK (kafka_offset < 25)"
    )
    with pytest.raises(WarehouseError, match="refuses a row by fault"):
        drain(settings, "task")
    assert len(staged(connection)) == 20
    assert watermarks(connection, FOOD.drain) == {FeedPartition(broker.raw, 0, 0): 20}
    connection.execute("ALTER TABLE stg.order_events DROP CONSTRAINT fault")

    outcome = drain(settings, "task", try_number=2)

    assert outcome.counts == {"messages": 10}
    assert [value for (value,) in staged(connection)] == numbered(30)
    runs = connection.execute("SELECT try_number, outcome FROM ops.stage_runs")
    assert runs.fetchall() == [(1, "failed"), (2, "done")]


def test_repeat_leaves_out_what_the_broker_no_longer_has(
    broker: Broker, connection: Connection
) -> None:
    broker.send(numbered(10))
    drain(broker.settings, "task")
    broker.delete_records(before=6)
    connection.execute("DELETE FROM stg.order_events WHERE kafka_offset IN (2, 9)")

    outcome = drain(broker.settings, "task", try_number=2)

    assert outcome.counts == {"compared": 4, "healed": 1, "differing": 0}
    assert len(staged(connection)) == 9


def test_repeat_does_not_mix_epochs(broker: Broker, connection: Connection) -> None:
    broker.send(numbered(3))
    drain(broker.settings, "task")
    broker.make_anew()
    broker.send(numbered(3, start=100))

    outcome = drain(broker.settings, "task", try_number=2)

    assert str(outcome) == "drain: nothing to do."
    assert staged(connection) == [(value,) for value in numbered(3)]


def test_backfill_covers_its_interval_by_broker_time(
    broker: Broker, connection: Connection
) -> None:
    start = NOW - timedelta(hours=9)
    for hour in range(9):
        stamp = start + timedelta(hours=hour)
        broker.send([b"%d" % hour], timestamp_ms=int(stamp.timestamp() * 1000))
    interval = (start + timedelta(hours=3), start + timedelta(hours=6))

    first = drain(broker.settings, "backfill", interval=interval)
    assert first.ranges == {FeedPartition(broker.raw, 0, 0): (0, 6)}
    assert "broker time" in first.note

    connection.execute("DELETE FROM stg.order_events WHERE kafka_offset IN (1, 4)")
    second = drain(broker.settings, "another backfill", interval=interval)
    assert second.counts == {"compared": 3, "healed": 1, "differing": 0}
    assert second.ranges == {FeedPartition(broker.raw, 0, 0): (3, 6)}

    assert drain(broker.settings, "live").ranges == {
        FeedPartition(broker.raw, 0, 0): (6, 9)
    }
    assert [value for (value,) in staged(connection)] == [
        b"%d" % hour for hour in range(9) if hour != 1
    ]


def test_runs_at_once_stage_each_message_once(
    broker: Broker, connection: Connection
) -> None:
    for partition in (0, 1):
        broker.send(numbered(500), partition=partition)
    settings = broker.settings.model_copy(update={"palate_drain_messages": 100})

    with ThreadPoolExecutor(3) as pool:
        names = ["one", "two", "three"]
        outcomes = list(pool.map(lambda name: drain(settings, name), names))

    assert sum(outcome.counts["messages"] for outcome in outcomes) == 1_000
    assert len(staged(connection)) == 1_000


def test_busy_stage_is_told_after_the_wait(
    broker: Broker, connection: Connection
) -> None:
    broker.send(numbered(1))
    settings = broker.settings.model_copy(update={"palate_lock_wait": 0.2})
    with open_run(settings, FOOD.drain, Caller("test", "other", "drain")):
        with pytest.raises(StageBusyError, match="Stage drain is busy") as error:
            drain(settings)
        assert error.value.exit_code == 7
    assert drain(settings).counts == {"messages": 1}


def test_watermark_that_moved_meanwhile_rolls_the_batch_back(
    broker: Broker, connection: Connection
) -> None:
    """A process that slept longer than its lock lived must not write twice."""
    broker.send(numbered(5))
    taken = [Range(FeedPartition(broker.raw, 0, 0), 0, 5)]

    def sleep_too_long() -> None:
        asleep = Caller("test", "asleep", "drain")
        with (
            open_run(broker.settings, FOOD.drain, asleep) as attempt,
            attempt.batch(taken),
        ):
            attempt.conn.execute(
                "INSERT INTO stg.rejected_messages VALUES"
                " ('t', 0, 0, 0, 'r', 'd', now())"
            )
            with connection.transaction():
                advance(connection, FOOD.drain, taken, NOW)

    with pytest.raises(WatermarkMovedError) as error:
        sleep_too_long()

    assert f"{broker.raw}[0] is no longer at 0" in str(error.value)
    assert error.value.exit_code == 8
    assert connection.execute("SELECT * FROM stg.rejected_messages").fetchall() == []
    assert connection.execute("SELECT * FROM ops.batches").fetchall() == []

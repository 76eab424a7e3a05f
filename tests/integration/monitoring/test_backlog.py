"""What waits, as status, metrics, bell and watch tell it while something stands."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka import KafkaProducer
from psycopg import Connection

from deploy.local.stack import Stack
from palate.clients.kafka_reader import open_reader
from palate.database import connect
from palate.errors import PositionGapError, UnreadableRecordError
from palate.incidents import open_incidents
from palate.landing import drain
from palate.monitoring import backlog, bell, freshness
from palate.monitoring.watch import Watch
from palate.pipelines import run_pipeline
from palate.reads.status import LogStatus, log_states, status
from palate.settings import Settings
from tests.e2e.airflow_api import until
from tests.food import FOOD
from tests.integration.broker import Broker, change_on_disk
from tests.integration.staged import caller
from tests.unit.model.stories import line, raw

ORDER = raw(1, [line("d")]).value


@contextmanager
def open_transaction(broker: Broker) -> Iterator[KafkaProducer]:
    """Begin a transaction with one order of partition 0; abort it, if it is open."""
    producer = broker.producer(transactional_id=broker.raw)
    producer.init_transactions()
    producer.begin_transaction()
    broker.send([ORDER], producer=producer)
    yield producer
    producer.close(timeout=5)


def of(logs: list[LogStatus], broker: Broker, partition: int = 0) -> LogStatus:
    (found,) = [
        log for log in logs if (log.topic, log.partition) == (broker.raw, partition)
    ]
    return found


def test_open_transaction_is_told_and_what_it_hides_counts(
    warehouse: Settings, broker: Broker, connection: Connection
) -> None:
    hasty = warehouse.model_copy(update={"palate_freshness_seconds": 0.05})
    watch = Watch(hasty, lambda _: "nobody")
    with open_transaction(broker) as producer:
        broker.send([ORDER] * 5)
        assert sum(stage.batches for stage in run_pipeline(warehouse)) == 0

        log = of(status(warehouse).logs, broker)
        assert (log.end_offset, log.lag, log.open_transaction) == (6, 6, 0)
        assert of(log_states(warehouse), broker).lag == 6
        sentence = f"A transaction has been open since offset 0 of {broker.raw}[0]"
        assert sentence in " ".join(status(warehouse).problems)

        def is_told() -> bool:
            watch.once()
            return any(sentence in i.message for i in open_incidents(connection))

        until(is_told, "the alarm that tells of the transaction", seconds=30)
        with bell.WaitingMessages(warehouse, [broker.raw]) as ringing:
            assert not any(ringing.should_ring() for _ in range(3))
            producer.commit_transaction()

            def rings() -> bool:
                ringing.wait()
                return ringing.should_ring()

            until(rings, "the ring for what the transaction hid", seconds=30)

    list(run_pipeline(warehouse))
    watch.once()
    log = of(status(warehouse).logs, broker)
    assert (log.end_offset, log.lag, log.open_transaction) == (7, 0, None)
    assert open_incidents(connection) == []


def test_gap_stands_alone(warehouse: Settings, broker: Broker) -> None:
    broker.send([ORDER] * 2)
    list(run_pipeline(warehouse))
    broker.send([ORDER] * 3)
    broker.delete_records(before=4)

    before = of(status(warehouse).logs, broker)
    assert (before.end_offset, before.staged, before.lag) == (5, 2, 3)
    assert "offsets 2 to 3 are gone" in (before.why_stopped or "")
    with bell.WaitingMessages(warehouse, [broker.raw]) as ringing:
        assert ringing.should_ring()  # nobody has found it yet
        with pytest.raises(PositionGapError):
            drain.run(warehouse, FOOD, caller("drain"))
        assert not ringing.should_ring()
        broker.send([ORDER], partition=1)

        def rings() -> bool:
            return ringing.should_ring()

        until(rings, "the ring for the other partition", seconds=30)

    found = status(warehouse)
    assert of(found.logs, broker).why_stopped
    other = of(found.logs, broker, 1)
    assert (other.end_offset, other.lag, other.why_stopped) == (1, 1, None)
    assert len([p for p in found.problems if "offsets 2 to 3 are gone" in p]) == 1
    assert [log.lag for log in log_states(warehouse)] == [log.lag for log in found.logs]


def test_record_that_can_not_be_read_fails_no_look(
    warehouse: Settings, broker: Broker, services: Stack
) -> None:
    broker.send([b"to be changed"])
    broker.send([ORDER], partition=1)
    change_on_disk(services.var, broker.raw, 0, b"to be changed", b"to be broken!")

    found = status(warehouse)
    assert [of(found.logs, broker, number).lag for number in (0, 1)] == [1, 1]
    with pytest.raises(UnreadableRecordError):
        list(run_pipeline(warehouse))
    # What the others had is in the marts all the same.
    assert [of(status(warehouse).logs, broker, n).lag for n in (0, 1)] == [1, 0]
    assert "can't be read" in (of(status(warehouse).logs, broker).why_stopped or "")


def test_topic_that_is_missing_hides_no_other(
    warehouse: Settings, broker: Broker, connection: Connection
) -> None:
    topics = {"no-such-topic": "raw", **warehouse.palate_topics}
    settings = warehouse.model_copy(
        update={"palate_topics": topics, "palate_freshness_seconds": 0.05}
    )
    broker.send([ORDER])
    watch = Watch(settings, lambda _: "nobody")

    assert of(status(settings).logs, broker).lag == 1
    assert "has no topic no-such-topic" in " ".join(status(settings).problems)
    with bell.WaitingMessages(settings, topics) as ringing:
        assert ringing.should_ring()

    def told() -> set[tuple[str, str]]:
        watch.once()
        return {(i.kind, i.subject) for i in open_incidents(connection)}

    both = {("watch", "no-such-topic"), ("freshness", "marts")}
    until(lambda: told() == both, "both alarms", seconds=30)
    Watch(warehouse, lambda _: "nobody").once()


def test_oldest_message_of_any_log_of_the_area_counts(
    warehouse: Settings, broker: Broker, connection: Connection
) -> None:
    for number in (0, 1):
        broker.send([ORDER], partition=number)
        broker.send([ORDER], partition=number, topic=broker.enriched)
    with connect(warehouse) as conn, open_reader(warehouse) as reader:
        freshness.observe(conn, reader, warehouse)
        # Later ends of a log, and another area's logs, say nothing of this one.
        connection.execute(
            "INSERT INTO ops.log_ends SELECT topic, epoch, kafka_partition, 9, now()"
            " FROM ops.log_ends UNION ALL SELECT 'another', 0, 0, 1, now() - 900"
            " * interval '1 s'"
        )
        for topic in (broker.raw, broker.enriched):
            for number in (0, 1):
                place = (topic, number)
                age = "seen_dt - %s * interval '1 s'"
                change = (
                    f"UPDATE ops.log_ends SET seen_dt = {age} WHERE end_offset = 1"
                    " AND (topic, kafka_partition) = (%s, %s)"
                )
                connection.execute(change, (300, *place))
                found = freshness.assess(conn, warehouse, FOOD).waiting_seconds
                assert 300 <= (found or 0) < 600, place
                connection.execute(change, (-300, *place))


def test_mart_that_is_being_filled_makes_no_message_wait(
    warehouse: Settings, broker: Broker, connection: Connection
) -> None:
    broker.send([ORDER])
    list(run_pipeline(warehouse))
    connection.execute(
        "UPDATE ops.definitions SET filled_dt = NULL"
        " WHERE name = 'user_category_counters'"
    )
    connection.execute(
        "DELETE FROM ops.watermarks WHERE stage = 'mart:user_category_counters'"
    )
    # A mart that was removed has a watermark, and no definition.
    connection.execute(
        "INSERT INTO ops.watermarks (stage, topic, epoch, kafka_partition,"
        " first_offset, next_offset, moved_dt) SELECT 'mart:removed', topic, epoch,"
        " kafka_partition, 0, 0, now() FROM ops.watermarks WHERE stage = 'vault'"
    )

    with connect(warehouse) as conn, open_reader(warehouse) as reader:
        assert backlog.counting_marts(conn, FOOD).keys() == {"user_product_counters"}
        freshness.observe(conn, reader, warehouse)
        assert freshness.assess(conn, warehouse, FOOD).waiting_seconds == 0
    assert [log.lag for log in status(warehouse).logs if log.lag] == []

from kafka import KafkaProducer
from psycopg import Connection

from palate.pipelines import run_pipeline
from palate.settings import Settings


def test_each_test_has_a_warehouse_of_its_own(
    warehouse: Settings, connection: Connection, producer: KafkaProducer
) -> None:
    for topic in warehouse.palate_topics:
        producer.send(topic, b"connection test", partition=1)
    producer.flush()

    outcomes = [outcome.as_dict() for outcome in run_pipeline(warehouse)]

    assert outcomes[0]["counts"] == {"messages": 2}
    assert connection.execute(
        "SELECT right(topic, 4), kafka_partition, kafka_offset, reason"
        " FROM stg.rejected_messages ORDER BY topic"
    ).fetchall() == [("ched", 1, 0, "not_json"), ("_raw", 1, 0, "not_json")]

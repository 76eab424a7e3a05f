"""The messages that the benchmarks send to Kafka."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from bench import orders


@contextmanager
def open_producer(bootstrap: str, linger_ms: int = 20) -> Iterator[KafkaProducer]:
    """Connect a plain producer; closing it sends what is left."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, linger_ms=linger_ms, batch_size=2**18
    )
    try:
        yield producer
        producer.flush()
    finally:
        producer.close()


def send(
    bootstrap: str,
    topic: str,
    start: int,
    count: int,
    partitions: int = orders.PARTITIONS,
) -> int:
    """Send the next generated messages; return the number of the one after them."""
    with open_producer(bootstrap) as producer:
        for number in range(start, start + count):
            producer.send(topic, orders.message(number), partition=number % partitions)
    return start + count


def make_topic(bootstrap: str, topic: str, partitions: int = orders.PARTITIONS) -> None:
    """Create a topic with the partitions of the generated messages."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics(
            {topic: {"num_partitions": partitions, "replication_factor": 1}},
            wait_for_metadata=True,
        )
    finally:
        admin.close()

"""The floor: reading the bytes from Kafka and writing them to PostgreSQL, no more."""

import gc
from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from bench.samples import Samples
from bench.services import Services

_DATABASE = "bench_floor"


class Floor:
    """Samples of the two steps that every pipeline needs, per message."""

    def __init__(self, services: Services, *topics: str) -> None:
        """Create the database for it."""
        self._services = services
        self._topics = topics
        self.consume = Samples()
        self.copy = Samples()
        self.total = Samples()
        with services.superuser() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {_DATABASE}")
            connection.execute(f"CREATE DATABASE {_DATABASE}")

    def measure(self, begin: Mapping[str, int] | None = None) -> None:
        """Read the topics and copy them to an empty table; add the samples.

        :param begin: from which offsets of a topic on; default: all of it
        """
        records = self._consume(begin or {})
        scale = 1 / len(records)
        self.consume.values[-1] *= scale
        with self._services.superuser(_DATABASE) as connection:
            connection.execute("DROP TABLE IF EXISTS floor")
            connection.execute(
                "CREATE TABLE floor (topic text, kafka_partition integer,"
                " kafka_offset bigint, message bytea)"
            )
            with (
                self.copy.timed(scale),
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy("COPY floor FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.set_types(("text", "int4", "int8", "bytea"))
                for one in records:
                    copy.write_row((one.topic, one.partition, one.offset, one.value))
        self.total.values.append(self.consume.values[-1] + self.copy.values[-1])

    def _consume(self, begin: Mapping[str, int]) -> list[Any]:
        """Read by assign and seek up to the end offsets; connecting is left out."""
        consumer = KafkaConsumer(
            bootstrap_servers=self._services.stack.env()["KAFKA_BOOTSTRAP"],
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            metrics_enabled=False,
            max_partition_fetch_bytes=8 * 2**20,
        )
        partitions = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(consumer.partitions_for_topic(topic))
        ]
        consumer.assign(partitions)
        first = consumer.beginning_offsets(partitions)
        end = consumer.end_offsets(partitions)
        records: list[Any] = []
        gc.collect()
        gc.freeze()
        with self.consume.timed():
            for partition in partitions:
                consumer.seek(partition, begin.get(partition.topic, first[partition]))
            while any(consumer.position(one) < end[one] for one in partitions):
                for batch in consumer.poll(timeout_ms=200, max_records=2_000).values():
                    records += batch
        consumer.close()
        return records

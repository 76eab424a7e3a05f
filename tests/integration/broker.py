"""What tests do to the real broker: send, delete, grow, make anew."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from palate.clients.kafka_reader import TopicState, open_reader
from palate.settings import Settings
from tests.model.history import Form


class RawName(str):
    """A header's name as a client in C or Go may write it."""

    raw: bytes

    def __new__(cls, raw: bytes) -> "RawName":
        """Make one that kafka-python's producer sends as these bytes."""
        made = super().__new__(cls, repr(raw))
        made.raw = raw
        return made

    def encode(self, *_: object) -> bytes:  # type: ignore[override]
        """Return the bytes."""
        return self.raw


def change_on_disk(
    var: Path, topic: str, partition: int, found: bytes, put: bytes
) -> None:
    """Change bytes in the log of a broker of the local stack, as a bad disk does."""
    (log,) = (var / "kafka" / "data" / f"{topic}-{partition}").glob("*.log")
    with log.open("r+b") as file:
        at = file.read().index(found)
        file.seek(at)
        file.write(put)


@dataclass(frozen=True)
class Broker:
    """The broker of a test's warehouse; without a topic, its raw one is meant."""

    settings: Settings
    admin: KafkaAdminClient

    @property
    def raw(self) -> str:
        """The topic of the raw form."""
        return self._topic(Form.RAW)

    @property
    def enriched(self) -> str:
        """The topic of the enriched form."""
        return self._topic(Form.ENRICHED)

    def send(
        self,
        values: Iterable[bytes | None],
        *,
        partition: int = 0,
        topic: str | None = None,
        producer: KafkaProducer | None = None,
        **record: Any,
    ) -> None:
        """Send messages and wait until the broker has them.

        :param producer: without, a plain one for this call
        :param record: ``key``, ``headers`` and ``timestamp_ms`` of each
        """
        client = producer or self.producer()
        sent = [
            client.send(topic or self.raw, value, partition=partition, **record)
            for value in values
        ]
        client.flush()
        for one in sent:
            one.get(timeout=10)
        if producer is None:
            client.close()

    def producer(self, **config: Any) -> KafkaProducer:
        """Return a client that sends at once."""
        return KafkaProducer(
            bootstrap_servers=self.settings.kafka_bootstrap, linger_ms=0, **config
        )

    def configure(self, topic: str | None = None, **config: str) -> None:
        """Set a topic's configuration; underscores stand for dots."""
        values = {name.replace("_", "."): value for name, value in config.items()}
        self.admin.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.TOPIC, topic or self.raw, configs=values
                )
            ]
        )

    def delete_records(self, before: int, *, partition: int = 0) -> None:
        """Let the raw topic's offsets below ``before`` be gone, as by retention."""
        self.admin.delete_records({TopicPartition(self.raw, partition): before})

    def add_partitions(self, count: int) -> None:
        """Let the raw topic have ``count`` partitions."""
        self.admin.create_partitions({self.raw: count})
        self._wait(lambda state: len(state.end) == count)

    def make_anew(self, partitions: int = 2) -> None:
        """Delete the raw topic and create it again."""
        old = self.state().topic_id
        self.admin.delete_topics([self.raw])
        self._create(partitions)
        self._wait(lambda state: state.topic_id != old)

    def state(self) -> TopicState:
        """Return what a fresh client is told of the raw topic."""
        with open_reader(self.settings) as reader:
            return reader.state(self.raw)

    @retry(stop=stop_after_delay(30), wait=wait_fixed(0.1))
    def _create(self, partitions: int) -> None:
        # The broker deletes a topic's name a while after it has said so.
        self.admin.create_topics(
            {self.raw: {"num_partitions": partitions, "replication_factor": 1}},
            wait_for_metadata=True,
        )

    @retry(
        stop=stop_after_delay(30),
        wait=wait_fixed(0.1),
        retry=retry_if_result(lambda done: not done),
    )
    def _wait(self, condition: Any) -> bool:
        return bool(condition(self.state()))

    def _topic(self, form: Form) -> str:
        forms = self.settings.palate_topics
        return next(topic for topic, carried in forms.items() if carried == form)

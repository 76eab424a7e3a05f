"""Kafka and Redis, as the order service writes to them."""

import logging
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Record

from palate.clients import kafka_connection, redis_connection, redis_refusals
from palate.errors import (
    AccessDeniedError,
    PalateError,
    TopicMissingError,
)
from palate.settings import Settings
from palate.simulate.errors import SendError
from palate.simulate.model import Entry, Message, Position

log = logging.getLogger(__name__)

_DELIVERY_SECONDS = 30

Acknowledged = tuple[Message, Position, int]


class Kafka:
    """Sends messages and returns their positions.

    Not by kafka-python as the pipeline does: that takes 25 us of Python a message, so
    that the simulator wouldn't reach its 20,000 messages a second beside a pipeline.
    """

    def __init__(self, settings: Settings, topics: Iterable[str]) -> None:
        """Connect.

        :param topics: every topic that will be written to
        :raises ServiceUnavailableError: if no broker answers
        :raises AccessDeniedError: if it refuses the login or a topic
        :raises TopicMissingError: if a topic isn't there
        """
        self._settings = settings
        self._bootstrap = settings.kafka_bootstrap
        self._acknowledged: list[Acknowledged] = []
        self._lost: KafkaError | None = None
        self._producer = Producer(
            {
                **kafka_connection.librdkafka_options(settings),
                "allow.auto.create.topics": False,
                # Otherwise a retry could duplicate a message, once without anybody
                # knowing.
                "enable.idempotence": True,
                "linger.ms": 20,
                "delivery.timeout.ms": _DELIVERY_SECONDS * 1000,
                "message.max.bytes": 16 * 2**20,
                "log_level": 3,  # its own retries are no warning
            },
            logger=log,
        )
        for topic in topics:
            self._require(topic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.flush(_DELIVERY_SECONDS)

    def send(self, message: Message, timestamp_ms: int | None = None) -> None:
        """Send a message soon; ``acknowledged`` reports when that is done.

        :param timestamp_ms: the record's timestamp in milliseconds since 1970 UTC;
            without, the time of sending
        """
        while True:
            try:
                self._producer.produce(
                    message.topic,
                    message.value,
                    on_delivery=partial(self._delivered, message),
                    timestamp=timestamp_ms or 0,
                )
            except BufferError:  # the queue is full
                self._producer.poll(0.1)
            else:
                return

    def acknowledged(self, wait: bool = False) -> Iterator[Acknowledged]:
        """Yield what the broker has stored, with position and timestamp.

        :param wait: until everything that was sent is acknowledged
        :raises SendError: if a message can't be delivered
        """
        left = self._producer.flush(_DELIVERY_SECONDS) if wait else 0
        self._producer.poll(0)
        done, self._acknowledged = self._acknowledged, []
        yield from done
        if self._lost is not None and _is_denied(self._lost):
            raise AccessDeniedError(
                kafka_connection.denied(self._settings, "a topic that it writes to")
            )
        if self._lost is not None or left:
            reason = self._lost.str() if self._lost is not None else "no answer"
            why_not = kafka_connection.away(
                self._settings, reason, "Not all messages were taken."
            )
            raise SendError(str(why_not))

    def _delivered(
        self, message: Message, error: KafkaError | None, record: Record
    ) -> None:
        if error is not None:
            self._lost = error
            return
        # Both are there once the message is.
        partition, offset = record.partition() or 0, record.offset() or 0
        position = Position(message.topic, partition, offset)
        self._acknowledged.append((message, position, record.timestamp()[1]))

    def _require(self, topic: str) -> None:
        timeout = self._settings.palate_kafka_timeout
        try:
            found = self._producer.list_topics(topic, timeout=timeout).topics[topic]
        except KafkaException as error:
            said = error.args[0].str()
            raise kafka_connection.away(
                self._settings, said, "Nothing was sent."
            ) from None
        if found.error is not None and _is_denied(found.error):
            raise AccessDeniedError(
                kafka_connection.denied(self._settings, f"topic {topic}")
            )
        if found.error is not None:
            raise TopicMissingError(
                f"Kafka at {self._bootstrap} has no topic {topic!r}. `make up` makes "
                "the topics; PALATE_TOPICS names them."
            )


def _is_denied(error: KafkaError) -> bool:
    return bool(error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED)


class Dictionaries:
    """Writes dictionary entries to Redis."""

    def __init__(self, settings: Settings) -> None:
        """Connect.

        :raises PalateError: if Redis does not answer, or refuses
        """
        self._address = redis_connection.address_of(settings)
        try:
            self._redis = redis_connection.connect(settings)
        except redis_connection.ERRORS as error:
            raise self._why(error) from None

    def write(self, entry: Entry) -> None:
        """Write an entry under its id, in place of an older one.

        :raises PalateError: if Redis refuses it
        """
        try:
            self._redis.set(entry.id, entry.to_json())
        except redis_connection.ERRORS as error:
            raise self._why(error) from None

    def close(self) -> None:
        """End the connection."""
        self._redis.close()

    def _why(self, error: Exception) -> PalateError:
        return redis_refusals.why(
            self._address, error, "the dictionaries", "Nothing more is sent."
        )

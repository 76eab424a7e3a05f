"""Kafka and Redis, as the order service writes to them."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError
from redis import Redis
from redis.exceptions import RedisError

from palate.errors import ServiceUnavailableError, TopicMissingError
from palate.simulate.errors import SendError
from palate.simulate.model import Entry, Message, Position

# In bytes and milliseconds. Larger batches and longer waits gained nothing (measured).
_BATCH = 256 * 1024
_LINGER = 20
_MOST_IN_FLIGHT = 20_000  # messages
_DELIVERY_SECONDS = 30

Acknowledged = tuple[Message, Position, int]


class Kafka:
    """Sends messages and learns where the broker has put them."""

    def __init__(self, bootstrap: str, topics: Iterable[str], timeout: float) -> None:
        """Connect.

        :param bootstrap: ``host:port``, more of them after commas
        :param topics: every topic that will be written to
        :param timeout: how long the broker may not answer, in seconds
        :raises ServiceUnavailableError: if no broker answers
        :raises TopicMissingError: if a topic isn't there
        """
        self._bootstrap = bootstrap
        self._in_flight: deque[tuple[Message, Any]] = deque()
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap,
                bootstrap_timeout_ms=int(timeout * 1000),
                max_block_ms=int(timeout * 1000),
                request_timeout_ms=10_000,
                delivery_timeout_ms=_DELIVERY_SECONDS * 1000,
                allow_auto_create_topics=False,
                # Else a retry could put a message twice, once where nobody knows.
                enable_idempotence=True,
                acks="all",
                batch_size=_BATCH,
                linger_ms=_LINGER,
                metrics_enabled=False,
            )
        except (KafkaError, ValueError) as error:
            raise ServiceUnavailableError(
                f"Kafka can't be reached at {bootstrap or '(KAFKA_BOOTSTRAP is empty)'}"
                f": {error}. Check that it runs (`make status`) and that "
                "KAFKA_BOOTSTRAP is right."
            ) from None
        for topic in topics:
            self._require(topic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close(timeout=_DELIVERY_SECONDS)

    def send(self, message: Message, timestamp_ms: int | None = None) -> None:
        """Send a message some time soon; ``acknowledged`` tells when that is done.

        :param timestamp_ms: the record's timestamp in milliseconds since 1970 UTC;
            without, the time of sending
        """
        future = self._producer.send(
            message.topic, message.value, timestamp_ms=timestamp_ms
        )
        self._in_flight.append((message, future))

    def acknowledged(self, wait: bool = False) -> Iterator[Acknowledged]:
        """Hand out what the broker has put away, with position and timestamp.

        :param wait: until everything that was sent is acknowledged; else only as long
            as too much is on its way
        :raises SendError: if a message can't be delivered
        """
        if wait:
            self._producer.flush(timeout=_DELIVERY_SECONDS)
        in_flight = self._in_flight
        while in_flight:
            message, future = in_flight[0]
            if not (future.is_done or wait or len(in_flight) > _MOST_IN_FLIGHT):
                return
            try:
                done = future.get(timeout=_DELIVERY_SECONDS)
            except KafkaError as error:
                raise SendError(
                    f"Kafka at {self._bootstrap} did not take a message for "
                    f"{message.topic} ({error!r}); {len(in_flight)} messages may be "
                    "lost. Check that it runs (`make status`)."
                ) from None
            in_flight.popleft()
            yield (
                message,
                Position(done.topic, done.partition, done.offset),
                (done.timestamp),
            )

    def _require(self, topic: str) -> None:
        try:
            self._producer.partitions_for(topic)
        except KafkaError:
            self._producer.close(timeout=0)
            raise TopicMissingError(
                f"Kafka at {self._bootstrap} has no topic {topic!r}. `make up` makes "
                "the topics; PALATE_TOPICS names them."
            ) from None


class Dictionaries:
    """Writes dictionary entries to Redis."""

    def __init__(self, url: str) -> None:
        """Connect.

        :param url: ``redis://...``
        :raises ServiceUnavailableError: if Redis does not answer
        """
        try:
            self._redis = Redis.from_url(url, socket_timeout=10)
            self._redis.ping()
        except (RedisError, ValueError) as error:
            raise self._unavailable(error) from None

    def write(self, entry: Entry) -> None:
        """Put an entry under its id; what was there is replaced.

        :raises ServiceUnavailableError: if Redis does not take it
        """
        try:
            self._redis.set(entry.id, entry.to_json())
        except RedisError as error:
            raise self._unavailable(error) from None

    def close(self) -> None:
        """End the connection."""
        self._redis.close()

    @staticmethod
    def _unavailable(error: Exception) -> ServiceUnavailableError:
        return ServiceUnavailableError(
            f"Redis (the dictionaries) can't be used: {error}. Check that it runs "
            "(`make status`) and that REDIS_URL is right."
        )

"""Send to Kafka in order, as the topic's only sender.

Uses librdkafka, like the simulator: several times as fast as kafka-python. The producer
is idempotent, so a retry duplicates nothing, and transactional: opening a topic for
sending fences off a publisher that still holds an older state. In a compacted topic the
older state could otherwise replace the newer one.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from palate.clients.kafka_connection import (
    away,
    denied,
    librdkafka_options,
    refused,
)
from palate.errors import (
    AccessDeniedError,
    PalateError,
    ServiceUnavailableError,
    StageBusyError,
    TopicMissingError,
)
from palate.names import ORIGIN_HEADER
from palate.settings import Settings

log = logging.getLogger(__name__)

# Compacted: a topic of states needs only the newest message of a key.
COMPACTED = {"cleanup.policy": "compact"}

Headers = list[tuple[str, str | bytes | None]]

_HEADERS: Headers = [(ORIGIN_HEADER, b"palate")]
_MOST_BYTES = 16 * 2**20
_IN_TRANSACTION = 10_000
_TRANSACTION_MS = 30_000

_REFUSALS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "topic {topic}",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "idempotent writing (IdempotentWrite)",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "transactional id {id} (Write)",
}
_SHUT_OUT = (
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
)


class Sender:
    """A producer for one topic that reports what the broker has stored."""

    def __init__(self, settings: Settings, topic: str) -> None:
        """Start a client; it connects by itself."""
        self._settings = settings
        self._topic = topic
        self._id = f"palate:{topic}"
        self._timeout = settings.palate_kafka_timeout
        self._trouble: KafkaError | None = None
        self._lost: tuple[str, KafkaError] | None = None
        timeout_ms = max(int(self._timeout * 1000), 1)
        self._options = librdkafka_options(settings) | {
            "client.id": "palate",
            "allow.auto.create.topics": False,
            "error_cb": self._note_trouble,
        }
        self._producer = Producer(
            self._options
            | {
                "transactional.id": self._id,
                "transaction.timeout.ms": max(_TRANSACTION_MS, timeout_ms),
                "delivery.timeout.ms": timeout_ms,
                "linger.ms": 5,
                "message.max.bytes": _MOST_BYTES,
                # As Java's clients do it: a key is in one partition, whoever sends.
                "partitioner": "murmur2_random",
            },
            logger=log,
        )

    def open(self, config: Mapping[str, str]) -> None:
        """Create the topic if it is missing, and fence off its other senders.

        :param config: of the topic, if it is created
        """
        with self._explained():
            found = self._producer.list_topics(self._topic, timeout=self._timeout)
            problem = found.topics[self._topic].error
            if problem and problem.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                self._make_topic(config)
            elif problem:
                raise KafkaException(problem)
            self._producer.init_transactions(self._timeout)

    def send(
        self, messages: Iterable[tuple[str, bytes] | tuple[str, bytes, Headers]]
    ) -> int:
        """Send messages and wait for the broker; return how many.

        :param messages: key, value, and headers; without, each has the one that marks
            it as Palate's

        :raises PalateError: if one is not acknowledged; any may be stored all the same,
            so the caller sends all of them again
        """
        number = 0
        waiting = iter(messages)
        while some := list(islice(waiting, _IN_TRANSACTION)):
            with self._explained():
                self._producer.begin_transaction()
                for one in some:
                    self._produce(*one)
                self._producer.commit_transaction(self._timeout + 1)
            number += len(some)
        return number

    def close(self) -> None:
        """Drop what was not acknowledged, so that the client closes at once."""
        with suppress(KafkaException):
            self._producer.purge()
            self._producer.abort_transaction(1)

    def _produce(self, key: str, value: bytes, headers: Headers = _HEADERS) -> None:
        delivered = partial(self._note_delivery, key)
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, headers=headers, on_delivery=delivered
                )
            except BufferError:  # the queue is full
                self._producer.poll(0.1)
            except KafkaException as error:  # too large even for the client
                self._note_delivery(key, error.args[0], None)
                raise
            else:
                return  # the commit reports what was delivered

    def _make_topic(self, config: Mapping[str, str]) -> None:
        admin = AdminClient(self._options, logger=log)
        # The numbers of partitions and of replicas are the broker's defaults.
        topic = NewTopic(self._topic, -1, -1, config=dict(config))
        made = admin.create_topics([topic], operation_timeout=self._timeout)
        try:
            made[self._topic].result(self._timeout + 1)
        except KafkaException as error:
            code = error.args[0].code()
            if code in _REFUSALS:
                wanted = "".join(
                    f" with {key}={value}" for key, value in config.items()
                )
                message = (
                    f"Kafka at {self._settings.kafka_bootstrap} has no topic "
                    f"{self._topic}, and does not let Palate make it. Make it{wanted}, "
                    "or grant Create. What is to be published waits."
                )
                raise TopicMissingError(message) from None
            if code != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        log.info("Made the topic %s.", self._topic)

    def _note_delivery(
        self, key: str, error: KafkaError | None, _: Message | None
    ) -> None:
        if error is not None and self._lost is None:
            self._lost = (key, error)

    def _note_trouble(self, error: KafkaError) -> None:
        if self._trouble is None:
            self._trouble = error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            key, reason = self._lost or ("", error.args[0])
            raise self._explain(key, reason) from None

    def _explain(self, key: str, error: KafkaError) -> PalateError:
        bootstrap = self._settings.kafka_bootstrap
        if error.code() in _SHUT_OUT:
            message = (
                f"Another run sends to {self._topic} by now. Nothing is lost: it "
                "publishes what waits."
            )
            return StageBusyError(message)
        if error.code() in _REFUSALS:
            what = _REFUSALS[error.code()].format(topic=self._topic, id=self._id)
            return AccessDeniedError(denied(self._settings, what))
        if self._trouble and self._trouble.code() == KafkaError._AUTHENTICATION:
            return AccessDeniedError(refused(self._settings))
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            message = (
                f"Kafka at {bootstrap}: the message of key {key} is too large for "
                f"{self._topic}. Raise the topic's max.message.bytes; the next run "
                "sends it again, and what waits behind it."
            )
            return ServiceUnavailableError(message)
        meanwhile = (
            f"It has not taken what is to be published to {self._topic}. Marts and "
            "tags are kept up to date; what waits is published once it is mended."
        )
        return away(self._settings, error.str(), meanwhile)


@contextmanager
def open_sender(
    settings: Settings, topic: str, config: Mapping[str, str]
) -> Iterator[Sender]:
    """Connect for sending to a topic, which is created if it is missing.

    :param config: of a topic that has to be created
    :raises ServiceUnavailableError: if no broker answers in ``PALATE_KAFKA_TIMEOUT``
    :raises AccessDeniedError: if it refuses the login or a permission
    :raises TopicMissingError: if the topic may not be created
    """
    sender = Sender(settings, topic)
    try:
        sender.open(config)
        yield sender
    finally:
        sender.close()

"""The events about imports, as they stand in Kafka."""

from collections.abc import Collection
from dataclasses import dataclass

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from palate.files import events

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Told:
    """One message: its id and kind by CloudEvents, and where it is."""

    id: str
    kind: str
    place: str


def events_of(bootstrap: str, imports: Collection[str]) -> dict[str, list[Told]]:
    """Return what the topics have about these imports, read from their beginning.

    :raises KafkaException: if the broker doesn't answer
    """
    found: dict[str, list[Told]] = {number: [] for number in imports}
    for message in _messages(bootstrap):
        headers = dict(message.headers() or [])
        number = _text(headers, "ce_id").partition("/")[0]
        if number in found:
            place = f"{message.topic()}[{message.partition()}]@{message.offset()}"
            told = Told(_text(headers, "ce_id"), _text(headers, "ce_type"), place)
            found[number].append(told)
    # First what was kept, then what became of it.
    return {n: sorted(told, key=lambda one: one.kind) for n, told in found.items()}


def _messages(bootstrap: str) -> list[Message]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "palate-demo",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        about = consumer.list_topics(timeout=_TIMEOUT_SECONDS).topics
        places = [
            TopicPartition(topic.value, number, 0)
            for topic in events.Topic
            for number in about[topic.value].partitions
        ]
        consumer.assign(places)
        read, ended = [], 0
        while ended < len(places):
            message = consumer.poll(_TIMEOUT_SECONDS)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            if (error := message.error()) is None:
                read.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ended += 1
            else:
                raise KafkaException(error)
        return read
    finally:
        consumer.close()


def _text(headers: dict[str, bytes | str | None], name: str) -> str:
    value = headers.get(name) or b""
    return value.decode() if isinstance(value, bytes) else value

"""What went into the warehouse: messages with their positions, dictionary entries."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

RAW_TOPIC = "order-service_orders"
ENRICHED_TOPIC = "stg-service-orders"
# What a record without a timestamp has: -1 ms of Kafka's clock.
NO_TIME = datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC)


class Form(StrEnum):
    """Which fields a topic's messages have (contract, sections 1 and 2)."""

    RAW = "raw"
    ENRICHED = "enriched"


FORMS: Mapping[str, Form] = {RAW_TOPIC: Form.RAW, ENRICHED_TOPIC: Form.ENRICHED}

Position = tuple[str, int, int, int]


@dataclass(frozen=True)
class Message:
    """A Kafka record as it was staged.

    ``broker_dt`` is the record's timestamp and must be aware.
    """

    topic: str
    epoch: int
    partition: int
    offset: int
    broker_dt: datetime
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def position(self) -> Position:
        """(topic, epoch, partition, offset)."""
        return (self.topic, self.epoch, self.partition, self.offset)


@dataclass(frozen=True)
class Entry:
    """What Redis had under one key: the bare id, and the value as it is."""

    id: str
    value: bytes


@dataclass(frozen=True)
class Rule:
    """A row of ``cdm.tag_rules``; ``kind`` is ``product`` or ``category``."""

    kind: str
    name: str
    threshold: int
    tag: str
    active: bool = True


@dataclass(frozen=True)
class History:
    """All that was staged. Only the order of ``entries`` means something.

    ``rules`` are those of the end; who holds which tag does not depend on earlier ones.

    :raises ValueError: if a position is taken twice, a topic has no form, or a
        broker time has no zone
    """

    messages: tuple[Message, ...] = ()
    entries: tuple[Entry, ...] = ()
    forms: Mapping[str, Form] = field(default_factory=lambda: dict(FORMS))
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        positions = [message.position for message in self.messages]
        for position in positions:
            if positions.count(position) > 1:
                raise ValueError(f"Two messages have the position {position}.")
        for message in self.messages:
            if message.topic not in self.forms:
                raise ValueError(f"Nothing says which form {message.topic!r} carries.")
            if message.broker_dt.utcoffset() is None:
                raise ValueError(f"{message.position} has a broker time without zone.")

    def on_topics(self, topics: Mapping[str, str]) -> "History":
        """Return the same history on topics of other names; each keeps its form.

        Names decide the last ties of versions, so draw batches from the result.
        """
        return History(
            messages=tuple(
                replace(message, topic=topics.get(message.topic, message.topic))
                for message in self.messages
            ),
            entries=self.entries,
            forms={topics.get(name, name): form for name, form in self.forms.items()},
            rules=self.rules,
        )


@dataclass(frozen=True)
class Batch:
    """A piece of a history that is staged at once."""

    messages: tuple[Message, ...] = ()
    entries: tuple[Entry, ...] = ()

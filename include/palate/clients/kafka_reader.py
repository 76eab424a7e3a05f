"""Read Kafka by position: no group, no committed offsets (ADR 0002)."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import kafka.codec
from kafka import KafkaConsumer, TopicPartition
from kafka.protocol.consumer import OffsetSpec

from palate.clients.fetching import PatientFetcher, Unreadable, high_watermarks_of
from palate.clients.kafka_connection import (
    connection_options,
    denied,
    explained,
    is_denied,
    unreachable,
)
from palate.errors import (
    AccessDeniedError,
    ServiceUnavailableError,
    SettingsError,
    TopicMissingError,
)
from palate.settings import Settings

log = logging.getLogger(__name__)

_POLL_RECORDS = 2_000
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True)
class TopicState:
    """A broker's state of a topic: its id, and the ends of each partition.

    ``begin`` is the first offset still kept, ``high`` the one that the next message
    gets. Readable offsets end at ``end``: it is less than ``high`` while a transaction
    is open that began there. ``leaderless`` partitions have none of these. The ids of
    topic and cluster are None where a broker is too old to have them.
    """

    topic: str
    topic_id: UUID | None
    begin: dict[int, int]
    end: dict[int, int]
    high: dict[int, int] = field(default_factory=dict)
    leaderless: tuple[int, ...] = ()
    cluster_id: str | None = None

    @property
    def open_transactions(self) -> dict[int, int]:
        """Return where the first open transaction of each partition begins."""
        return {
            partition: end
            for partition, end in self.end.items()
            if end < self.high.get(partition, end)
        }


class Reader:
    """A consumer that reads from given offsets, and never resets by itself."""

    def __init__(self, consumer: KafkaConsumer, settings: Settings) -> None:
        """Wrap a connected consumer."""
        self._consumer = consumer
        self._fetcher = PatientFetcher.within(consumer)
        self._high_watermarks = high_watermarks_of(consumer)
        self._left: set[tuple[str, int]] = set()
        self._timeout = settings.palate_kafka_timeout
        self._bootstrap = settings.kafka_bootstrap
        self._settings = settings

    def state(self, topic: str) -> TopicState:
        """Ask for a topic's id and the ends of its partitions.

        :raises TopicMissingError: if the broker does not know the topic
        :raises AccessDeniedError: if this user may not even see it
        """
        with explained(self._settings):
            numbers = self._consumer.partitions_for_topic(topic)
            if not numbers and (problem := unreachable(self._settings)):
                raise ServiceUnavailableError(problem)
            if not numbers and is_denied(self._settings, topic):
                raise AccessDeniedError(denied(self._settings, f"topic {topic}"))
            if not numbers:
                known = sorted(t for t in self._consumer.topics() if t[:2] != "__")
                message = (
                    f"Kafka at {self._bootstrap} has no topic {topic}. "
                    f"It has: {', '.join(known) or 'none'}. Make the topic, or correct "
                    "PALATE_TOPICS."
                )
                raise TopicMissingError(message)
            partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
            timeout = int(self._timeout * 1000)
            begin = self._fetcher.offsets(partitions, OffsetSpec.EARLIEST, timeout)
            # Before the end: a later message is in no transaction seen here.
            high = self._high_watermarks.offsets(partitions, OffsetSpec.LATEST, timeout)
            end = self._fetcher.offsets(partitions, OffsetSpec.LATEST, timeout)
        there = [tp for tp in partitions if tp in begin and tp in high and tp in end]
        return TopicState(
            topic,
            self._topic_id(topic),
            {tp.partition: begin[tp] for tp in there},
            {tp.partition: end[tp] for tp in there},
            {tp.partition: max(high[tp], end[tp]) for tp in there},
            tuple(tp.partition for tp in partitions if tp not in there),
            self._consumer._client.cluster.cluster_id,
        )

    def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Ask for the ends of the known partitions of topics, all at once."""
        with explained(self._settings):
            partitions = [
                TopicPartition(topic, number)
                for topic in topics
                for number in self._consumer.partitions_for_topic(topic) or ()
            ]
            timeout = int(self._timeout * 1000)
            found = self._fetcher.offsets(partitions, OffsetSpec.LATEST, timeout)
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    def offsets_at(self, topic: str, moment: datetime) -> dict[int, int | None]:
        """Return the first offset at or after a broker time, None if there is none."""
        with explained(self._settings):
            partitions = self._consumer.partitions_for_topic(topic) or set()
            stamp = int((moment - _EPOCH_START) / timedelta(milliseconds=1))
            found = self._consumer.offsets_for_times(
                {TopicPartition(topic, number): stamp for number in partitions}
            )
        return {tp.partition: at.offset if at else None for tp, at in found.items()}

    def wait(self, ends: dict[tuple[str, int], int], seconds: float) -> None:
        """Wait until there is a message at one of these ends, or for so many seconds.

        The broker answers at once when a message comes, so there is no polling. The
        record is not consumed.
        """
        at = {TopicPartition(*key): offset for key, offset in ends.items()}
        self._fetcher.unreadable.clear()
        if self._consumer.assignment() != set(at):
            self._consumer.assign(list(at))
        for partition, offset in at.items():
            self._consumer.seek(partition, offset)
        with explained(self._settings):
            self._consumer.poll(int(seconds * 1000), max_records=1)
        if self._fetcher.unreadable:  # the broker would send it again at once
            time.sleep(seconds)

    def seek(self, positions: dict[tuple[str, int], int]) -> None:
        """Read these partitions, each from the given offset on."""
        self._fetcher.unreadable.clear()
        self._left.clear()
        partitions = [TopicPartition(*key) for key in positions]
        self._consumer.assign(partitions)
        self._consumer.resume(*partitions)  # an earlier pass has paused them at its end
        for key, offset in positions.items():
            self._consumer.seek(TopicPartition(*key), offset)

    def leave(self, key: tuple[str, int]) -> None:
        """Stop reading a partition, until the next ``seek``."""
        self._left.add(key)

    @property
    def unreadable(self) -> dict[tuple[str, int], Unreadable]:
        """Return the partitions that gave no more records since ``seek``, and why."""
        found = self._fetcher.unreadable
        return {(tp.topic, tp.partition): why for tp, why in found.items()}

    def position(self, key: tuple[str, int]) -> int:
        """Return the next offset of a partition, past markers and compaction gaps."""
        with explained(self._settings):
            return int(self._consumer.position(TopicPartition(*key)))

    def records(self, until: dict[tuple[str, int], int]) -> Iterator[list[Any]]:
        """Yield polls of records until every partition is at its bound.

        An empty poll means nothing: only ``position`` shows the end. The caller may
        stop between two polls. An unreadable partition stops where it is, see
        ``unreadable``; so does one that sends nothing for ``PALATE_KAFKA_TIMEOUT``.
        """
        waiting = dict(until)
        last_progress = time.monotonic()
        while True:
            ended = self.unreadable.keys() | self._left
            done = [
                key
                for key, end in waiting.items()
                if key in ended or self.position(key) >= end
            ]
            for key in done:
                del waiting[key]
            if done:
                self._consumer.pause(*[TopicPartition(*key) for key in done])
            if not waiting:
                return
            with explained(self._settings):
                polled = self._consumer.poll(200, max_records=_POLL_RECORDS)
            if polled:
                last_progress = time.monotonic()
                yield [record for batch in polled.values() for record in batch]
            elif time.monotonic() - last_progress > self._timeout:
                for key, end in waiting.items():
                    self._note_silence(key, end)

    def _note_silence(self, key: tuple[str, int], end: int) -> None:
        cause = (
            f"Kafka at {self._bootstrap} has sent nothing for {self._timeout:g} s, but "
            f"its log ends at {end}"
        )
        self._fetcher.unreadable[TopicPartition(*key)] = Unreadable(
            self.position(key), None, cause, ServiceUnavailableError
        )

    def _topic_id(self, topic: str) -> UUID | None:
        # The consumer has no public call for it, and a second client costs 0.1 s.
        found = self._consumer._client.cluster.topic_id(topic)
        return UUID(str(found)) if found else None


@contextmanager
def open_reader(settings: Settings, *, patience_ms: int = 100) -> Iterator[Reader]:
    """Connect to the broker for reading; close the connection at the end.

    :param patience_ms: how long the broker may hold a request without new data
    :raises ServiceUnavailableError: if no broker answers in ``PALATE_KAFKA_TIMEOUT``
    :raises AccessDeniedError: if it refuses the login, or is not trusted
    :raises SettingsError: if a setting of the connection can't be used
    """
    for missing in missing_codecs():
        log.warning("%s", missing)
    with explained(settings):
        consumer = _connected(settings, patience_ms)
    try:
        yield Reader(consumer, settings)
    finally:
        consumer.close()


def _connected(settings: Settings, patience_ms: int) -> KafkaConsumer:
    timeout_ms = max(int(settings.palate_kafka_timeout * 1000), 1)
    try:
        consumer = KafkaConsumer(
            **connection_options(settings),
            client_id="palate",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metrics_enabled=False,
            bootstrap_timeout_ms=timeout_ms,
            request_timeout_ms=max(timeout_ms, 1000),
            reconnect_backoff_max_ms=1_000,
            fetch_max_wait_ms=patience_ms,
            max_partition_fetch_bytes=8 * 2**20,
        )
    except ValueError as error:
        message = (
            f"KAFKA_BOOTSTRAP is no list of host:port: {settings.kafka_bootstrap} "
            f"({error}). Correct it, or bootstrap.servers in the Airflow Connection "
            "`kafka`."
        )
        raise SettingsError(message) from None
    # kafka-python 3.0.12 does not pass its retry_backoff_ms on to where it counts, and
    # so idles for 0.1 s between its first two metadata requests.
    consumer._client.cluster.config["retry_backoff_ms"] = 20
    return consumer


def missing_codecs() -> list[str]:
    """Return a sentence for each missing codec that topics may need."""
    found = {
        "lz4": (kafka.codec.has_lz4(), "lz4"),
        "zstd": (kafka.codec.has_zstd(), "zstandard"),
        "snappy": (kafka.codec.has_snappy(), "python-snappy"),
    }
    sentences = [
        f"Topics compressed by {codec} can't be read: install {package}."
        for codec, (there, package) in found.items()
        if not there
    ]
    try:
        import crc32c  # noqa: F401 - only to see whether it is installed
    except ImportError:
        sentences.append(
            "Checksums are computed in Python, 11 times slower: install crc32c."
        )
    return sentences


def broker_time(record: Any) -> datetime:
    """Return the record's timestamp, clamped to what a timestamptz of Python holds.

    A record without one has -1, and so a time just before 1970.
    """
    try:
        moment = _EPOCH_START + timedelta(milliseconds=record.timestamp)
    except OverflowError:
        return _LATEST if record.timestamp > 0 else _EARLIEST
    return min(max(moment, _EARLIEST), _LATEST)

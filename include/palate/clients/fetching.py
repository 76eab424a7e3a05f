"""Fetch from the broker so that an unreadable record stops one partition (ADR 0021).

kafka-python raises out of ``poll`` at the first record that it can't parse, for all
partitions, without saying where. Here only that partition stops, and is noted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord, Fetcher
from kafka.consumer.subscription_state import SubscriptionState
from kafka.errors import (
    CorruptRecordError,
    KafkaError,
    OffsetOutOfRangeError,
    UnknownError,
)
from kafka.protocol.consumer import OffsetSpec
from kafka.record.default_records import DefaultRecordBatch

from palate.clients import record_batches
from palate.clients.record_batches import UnparsableError
from palate.errors import (
    CodecMissingError,
    PalateError,
    PositionGapError,
    UnreadableRecordError,
)


@dataclass(frozen=True)
class Unreadable:
    """Where a partition becomes unreadable, and why.

    ``start`` is the first unreadable offset, ``end`` the first one after the batch,
    None where the batch doesn't say. ``error`` is the class that a run raises.
    """

    start: int
    end: int | None
    cause: str
    error: type[PalateError] = UnreadableRecordError

    @property
    def is_lasting(self) -> bool:
        """Return whether another try would find the same."""
        return issubclass(self.error, (UnreadableRecordError, CodecMissingError))

    def sentence(self, topic: str, partition: int) -> str:
        """Return what can't be read, why, and what to do."""
        return (
            f"{topic}[{partition}]: {self._which} can't be read: {self.cause}. "
            f"{self._way_on(topic, partition)}"
        )

    @property
    def _which(self) -> str:
        if self.end is None or self.end == self.start + 1:
            return f"offset {self.start}"
        return f"offsets {self.start} to {self.end - 1}"

    def _way_on(self, topic: str, partition: int) -> str:
        skipped = "Nothing was skipped: this partition stops there, the others go on."
        if issubclass(self.error, CodecMissingError):
            return (
                f"{skipped} Install lz4, zstandard or python-snappy (see "
                "requirements.txt); the next run reads it again."
            )
        if issubclass(self.error, UnreadableRecordError):
            end = "..." if self.end is None else self.end
            return (
                f"{skipped} Every run tries again. If these bytes can't be mended on "
                f"the broker: `palate positions accept-gap {topic} {partition} --to"
                f" {end} --reason ...`; see docs/operations.md, 'A record can't be"
                " read'."
            )
        if issubclass(self.error, PositionGapError):
            return (
                "Retention took messages that were not read yet, or the topic was made "
                "anew. Nothing was skipped; see docs/operations.md, 'Offsets are gone'."
            )
        return (
            "What was read is kept; the next run goes on there. Check the broker "
            "(`make status`)."
        )


class PatientFetcher(Fetcher):  # type: ignore[misc]
    """kafka-python's fetcher, without its parser of records.

    ``unreadable`` has the partitions that give no more records.
    """

    @classmethod
    def within(cls, consumer: KafkaConsumer) -> "PatientFetcher":
        """Create one, and make a consumer fetch by it from now on."""
        fetcher = cls(consumer._client, consumer._subscription, **consumer.config)
        consumer._fetcher = fetcher
        return fetcher

    def __init__(
        self, client: Any, subscriptions: SubscriptionState, **config: Any
    ) -> None:
        """Create one that has nothing to read yet."""
        super().__init__(client, subscriptions, **config)
        self.unreadable: dict[TopicPartition, Unreadable] = {}

    def offsets(
        self, partitions: list[TopicPartition], which: OffsetSpec, timeout_ms: int
    ) -> dict[TopicPartition, int]:
        """Ask for offsets; a partition without a leader is left out.

        :raises kafka.errors.KafkaTimeoutError: if no leader answers
        """
        found = self._net.run(
            self._fetch_offsets_by_times_async,
            dict.fromkeys(partitions, which),
            timeout_ms,
        )
        return {partition: at.offset for partition, at in found.items()}

    # Called as a class, with the arguments of kafka-python's own.
    def PartitionRecords(
        self, fetch_offset: int, tp: TopicPartition, records: Any, **options: Any
    ) -> "_PartitionRecords":
        """Return an iterator over the records of one partition in one answer."""
        return _PartitionRecords(self._note, fetch_offset, tp, records, **options)

    def _parse_fetched_data(self, completed_fetch: Any) -> Any:
        try:
            return super()._parse_fetched_data(completed_fetch)
        except OffsetOutOfRangeError:
            partition, at = (
                completed_fetch.topic_partition,
                completed_fetch.fetched_offset,
            )
            gone = "the broker no longer has it"
            self._note(partition, at, None, None, gone, PositionGapError)
            return None
        except KafkaError as error:
            # The partition's own errors: the broker can't read it, or sends part of a
            # batch. All others concern the topic, or the connection.
            if type(error) not in (KafkaError, CorruptRecordError, UnknownError):
                raise
            data = completed_fetch.partition_data
            cause = (
                f"the broker sends {len(data.records)} bytes without a whole batch"
                if type(error) is KafkaError
                else f"the broker says {error}"
            )
            at = completed_fetch.fetched_offset
            claimed = _claimed_end(data.records)
            self._note(completed_fetch.topic_partition, at, claimed, None, cause)
            return None

    def _note(
        self,
        partition: TopicPartition,
        start: int,
        claimed: int | None,
        following: int | None,
        cause: str,
        error: type[PalateError] = UnreadableRecordError,
    ) -> None:
        """Note where a partition stops; what a broken batch claims may be wrong."""
        most = following or self._subscriptions.assignment[partition].highwater
        end = claimed
        if claimed is None or not start < claimed <= (most or 0):
            end = following
        self.unreadable[partition] = Unreadable(start, end, cause, error)


class _PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """Iterates over batches until one can't be parsed, and notes that one."""

    def __init__(self, note: Callable[..., None], *args: Any, **options: Any) -> None:
        self._note = note
        super().__init__(*args, **options)

    def _unpack_records(
        self, tp: TopicPartition, records: Any, *_: Any
    ) -> Iterator[ConsumerRecord]:
        batch = None
        try:
            while records.has_next():
                batch = None
                batch = _next_batch(records)
                record_batches.check(batch)
                if batch.magic < 2:
                    yield from self._legacy(tp, batch)
                    continue
                self.leader_epoch = batch.leader_epoch
                if not self._is_hidden(batch):
                    for record in record_batches.records(batch):
                        self.next_fetch_offset = record.offset + 1
                        yield _consumed(tp, batch, record)
                self.next_fetch_offset = batch.next_offset
        except UnparsableError as error:
            self._stop(tp, records, batch, error)
        else:
            self.drain()

    def _is_hidden(self, batch: DefaultRecordBatch) -> bool:
        """Return whether a batch is a marker, or of an aborted transaction."""
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if batch.is_control_batch:
                if _is_abort(batch):
                    self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)

    def _legacy(self, tp: TopicPartition, batch: Any) -> Iterator[ConsumerRecord]:
        try:
            for record in batch:
                stamp = -1 if record.timestamp is None else record.timestamp
                read = record_batches.Record(
                    record.offset, stamp, record.key, record.value, []
                )
                self.next_fetch_offset = record.offset + 1
                yield _consumed(tp, batch, read)
        # The codecs of old batches raise any exception.
        except Exception as error:
            cause = f"its batch of format {batch.magic} can't be parsed: {error!r}"
            raise UnparsableError(cause) from error

    def _stop(
        self, tp: TopicPartition, records: Any, batch: Any, error: UnparsableError
    ) -> None:
        self.next_fetch_offset = max(self.next_fetch_offset, self.fetch_offset)
        start = self.next_fetch_offset
        claimed = None
        if batch is not None:
            start = max(start, batch.base_offset)
            is_new = isinstance(batch, DefaultRecordBatch)
            claimed = batch.next_offset if is_new else batch.base_offset + 1
        following = _sound_start(records)
        if following is not None and following <= start:
            following = None
        self._note(tp, start, claimed, following, str(error), error.error)
        self.drain()


def high_watermarks_of(consumer: KafkaConsumer) -> PatientFetcher:
    """Return a fetcher whose ``offsets`` include what transactions hide."""
    return PatientFetcher(
        consumer._client,
        SubscriptionState("none"),
        **consumer.config | {"isolation_level": "read_uncommitted"},
    )


def _next_batch(records: Any) -> Any:
    try:
        return records.next_batch()
    except Exception as error:
        raise UnparsableError(f"its batch can't be identified: {error}") from error


def _consumed(
    tp: TopicPartition, batch: Any, record: record_batches.Record
) -> ConsumerRecord:
    epoch = batch.leader_epoch if batch.magic == 2 else -1
    return ConsumerRecord(
        tp.topic,
        tp.partition,
        epoch,
        record.offset,
        record.timestamp,
        batch.timestamp_type,
        record.key,
        record.value,
        record.headers,
        None,
        -1,
        -1,
        -1,
    )


def _is_abort(batch: DefaultRecordBatch) -> bool:
    try:
        return bool(next(batch).abort)
    except Exception as error:
        cause = f"the marker of a transaction can't be parsed: {error!r}"
        raise UnparsableError(cause) from error


def _sound_start(records: Any) -> int | None:
    """Return where the batch after a broken one begins, if that one is intact."""
    try:
        batch = records.next_batch()
        record_batches.check(batch)
    # Behind broken bytes there may be anything, or nothing.
    except Exception:
        return None
    return int(batch.base_offset)


def _claimed_end(data: bytes) -> int | None:
    """Return where the first batch, of which a part is there, claims to end."""
    if len(data) < DefaultRecordBatch.HEADER_STRUCT.size:
        return None
    return int(DefaultRecordBatch(data).next_offset)

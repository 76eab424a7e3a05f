"""The drain stage: from the ledger's positions to the broker's end, into STG.

Every message is kept as its bytes, with its position. Rows and watermark commit
together, chunk by chunk; memory is bounded by a chunk. A partition that can't be read
delays no other one.
"""

import time
from dataclasses import dataclass, field

from palate import incidents
from palate.clients import Reader, Unreadable, kafka_reader
from palate.decisions import check_known
from palate.engine import Caller, Outcome, StageRun, open_run, plans, progress
from palate.errors import PalateError, PositionGapError, UnreadableRecordError
from palate.incidents import Kind
from palate.landing import gaps, restage, tails
from palate.landing.chunks import Reading, copy_records
from palate.landing.epochs import Registration, register_topics
from palate.landing.partitions import room_for
from palate.landing.restage import verify
from palate.landing.tails import Tail
from palate.positions import FeedPartition, range_sets, watermarks
from palate.settings import Settings
from palate.sources import Area, catalog

# The note of a run that has not taken all.
AT_LIMIT = "Stopped at a limit: the next run takes what is waiting."

_FOR_A_PERSON = (PositionGapError, UnreadableRecordError)


@dataclass(frozen=True)
class Limits:
    """The most that one run takes; None leaves it to the settings."""

    topics: tuple[str, ...] | None = None
    partitions: tuple[int, ...] | None = None
    messages: int | None = None
    seconds: float | None = None


def run(
    settings: Settings, area: Area, caller: Caller, limits: Limits | None = None
) -> Outcome:
    """Stage what is waiting on the broker, up to its end offsets at the start.

    A cleared task, and a backfill, first read their own ranges again: what STG lacks is
    put back, and what it has must have the same bytes.

    :raises RequestError: if no topic has one of the partitions requested
    :raises PalateError: if a log or a topic can't be read, once all others are: a
        PositionGapError, an UnreadableRecordError, or the broker's error
    """
    limits = limits or Limits()
    if caller.interval:
        request = plans.Request(*caller.interval)
        return _backfill(settings, area, caller, request, limits)
    return _run(settings, area, caller, limits, is_repeat=True)


def take_waiting(settings: Settings, area: Area, caller: Caller) -> Outcome:
    """Stage what is waiting on the broker; repeat nothing.

    :raises PalateError: as ``run``
    """
    return _run(settings, area, caller, Limits(), is_repeat=False)


def _run(
    settings: Settings, area: Area, caller: Caller, limits: Limits, *, is_repeat: bool
) -> Outcome:
    with (
        open_run(settings, area.drain, caller) as attempt,
        kafka_reader.open_reader(settings) as reader,
    ):
        topics = limits.topics or tuple(catalog.topics(settings, area))
        found = register_topics(attempt.conn, reader, topics)
        own = progress.to_repeat(attempt) if is_repeat else []
        for ranges in range_sets.rounds(own):
            verify(attempt, reader, settings, found.states | found.former, ranges)
        if not is_repeat or not attempt.was_finished():
            bounds = _bounds(found, limits)
            _Drain(attempt, reader, settings, found, bounds).run(limits)
        return attempt.outcome


def _bounds(found: Registration, limits: Limits) -> dict[FeedPartition, int]:
    if limits.partitions and not found.problems:  # a problem fails the run anyway
        there = sorted({item.partition for item in found.states})
        for number in limits.partitions:
            check_known("partition", number, there)
    return {
        item: end
        for item, (_, end) in found.states.items()
        if limits.partitions is None or item.partition in limits.partitions
    }


def _backfill(
    settings: Settings,
    area: Area,
    caller: Caller,
    request: plans.Request,
    limits: Limits,
) -> Outcome:
    """Verify what is staged of an interval; stage what is open below its end.

    The first part holds no lock that a live run needs.
    """
    again = restage.run(settings, area, caller, request, limits.topics)
    if again.waiting:
        with (
            open_run(settings, area.drain, caller) as attempt,
            kafka_reader.open_reader(settings) as reader,
        ):
            found = register_topics(
                attempt.conn, reader, sorted({i.topic for i in again.ends})
            )
            bounds = {
                item: min(again.ends[item], end)
                for item, end in _bounds(found, limits).items()
                if item in again.ends
            }
            _Drain(attempt, reader, settings, found, bounds).run(limits)
            again.outcome.include(attempt.outcome)
    progress.end(settings, caller, restage.stage_of(area))
    return again.outcome


@dataclass
class _Drain:
    """One pass of a run over some logs; ``gaps`` has why a log is stopped."""

    attempt: StageRun
    reader: Reader
    settings: Settings
    found: Registration
    bounds: dict[FeedPartition, int]
    gaps: dict[FeedPartition, str] = field(default_factory=dict)
    unreadable: dict[FeedPartition, Unreadable] = field(default_factory=dict)

    def run(self, limits: Limits) -> None:
        """Read every log that can be read; then fail if any can't."""
        left = limits.messages or sum(self.bounds.values())
        seconds = limits.seconds or self.settings.palate_drain_seconds
        deadline = time.monotonic() + seconds
        starts = self._starts()
        known = tails.tails(self.attempt.conn, starts)
        whole = {i: at for i, at in starts.items() if at <= self.found.states[i][1]}
        reading = self._reading(whole, self._heads(whole, known))
        left = self._take(reading, left, deadline)
        is_done = reading.is_done
        doubted = (starts.keys() - whole.keys()) | reading.doubted
        sound = {
            item: starts[item]
            for item in sorted(doubted)
            if self._is_sound(item, starts[item], known.get(item))
        }
        if sound:
            reading = self._reading(sound, {})
            self._take(reading, left, deadline)
            is_done = is_done and reading.is_done
        if not is_done:
            self.attempt.outcome.note = AT_LIMIT
        self._settle()

    def _starts(self) -> dict[FeedPartition, int]:
        """Return where to read each log on; record a gap where there is one."""
        done = watermarks(self.attempt.conn, self.attempt.stage)
        starts = {}
        for item in self.bounds:
            start = done.get(item, self.found.first[item])
            begin, _ = self.found.states[item]
            if start < begin:
                gaps.note(self.attempt.conn, item, start, begin)
                self.gaps[item] = gaps.gone(item, start, begin)
            else:
                starts[item] = start
        return starts

    def _heads(
        self, starts: dict[FeedPartition, int], known: dict[FeedPartition, Tail]
    ) -> dict[FeedPartition, tuple[int, Tail | None]]:
        """Return from where each log can be verified on the broker."""
        heads: dict[FeedPartition, tuple[int, Tail | None]] = {}
        for item, tail in known.items():
            begin, _ = self.found.states[item]
            at = max(tail.offset, begin)
            if at < starts.get(item, 0) <= self.bounds[item]:
                heads[item] = (at, tail if at == tail.offset else None)
        return heads

    def _reading(
        self,
        starts: dict[FeedPartition, int],
        heads: dict[FeedPartition, tuple[int, Tail | None]],
    ) -> Reading:
        asked = {
            item: at
            for item, at in starts.items()
            if item in heads or at < self.bounds[item]
        }
        return Reading(self.reader, asked, self.bounds, heads)

    def _take(self, reading: Reading, left: int, deadline: float) -> int:
        """Stage the records of a pass; return how many more messages may be taken."""
        conn = self.attempt.conn
        room: dict[FeedPartition, int] = {}
        while left > 0 and time.monotonic() < deadline:
            ahead = reading.ahead()
            if not ahead and not reading.has_moved:
                break
            short = {i: at for i, at in ahead.items() if at >= room.get(i, 0)}
            if short:
                room |= room_for(conn, self.settings, short)
            with self.attempt.batch([]) as batch:
                number = copy_records(
                    conn,
                    "stg.order_events",
                    batch.load_dt,
                    reading.take(
                        min(left, self.settings.palate_drain_messages),
                        self.settings,
                        deadline,
                        room,
                    ),
                )
                batch.ranges = reading.taken()
                batch.counts["messages"] = number
                newest = reading.newest()
                tails.note(conn, {i: tails.of_record(r) for i, r in newest.items()})
            left -= number
        self.unreadable |= reading.unreadable
        return left

    def _is_sound(self, item: FeedPartition, watermark: int, tail: Tail | None) -> bool:
        """Compare a log with STG; return whether it is the one that was read."""
        state, first = self.found.states[item], self.found.first[item]
        conn = self.attempt.conn
        found = tails.examine(conn, self.reader, item, state, first, watermark, tail)
        if found.lost_from is None:
            tails.note(conn, {item: found.tail})
            return True
        self.gaps[item] = gaps.lost_tail(item, found.lost_from, watermark, state[1])
        return False

    def _settle(self) -> None:
        """Open and close the incidents of the logs and topics that were read.

        :raises PalateError: if any can't be read; it names them all
        """
        conn, found = self.attempt.conn, self.found
        unreadable = {
            item: why.sentence(item.topic, item.partition)
            for item, why in self.unreadable.items()
        }
        lasting = [item for item, why in self.unreadable.items() if why.is_lasting]
        refused = {
            topic: str(error)
            for topic, error in found.problems.items()
            if isinstance(error, PositionGapError)
        }
        # Earlier epochs too: no run reads them again.
        names = [
            str(FeedPartition(item.topic, epoch, item.partition))
            for item in self.bounds
            for epoch in range(found.newest[item.topic] + 1)
        ]
        for kind, checked, stopped in (
            (Kind.GAP, names, {str(item): why for item, why in self.gaps.items()}),
            (Kind.UNREADABLE, names, {str(item): unreadable[item] for item in lasting}),
            (Kind.CLUSTER, [*found.newest], refused),
        ):
            incidents.keep(conn, kind, checked, stopped)
        problems: list[PalateError] = [
            *found.problems.values(),
            *(PositionGapError(why) for why in self.gaps.values()),
            *(why.error(unreadable[item]) for item, why in self.unreadable.items()),
        ]
        if len(problems) == 1:
            raise problems[0]
        if problems:
            # Exit with the code of the problem that needs a person.
            worst = min(
                problems, key=lambda error: not isinstance(error, _FOR_A_PERSON)
            )
            raise type(worst)("\n".join(str(error) for error in problems))

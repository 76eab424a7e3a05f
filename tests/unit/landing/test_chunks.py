"""A pass over the broker: what is given out, and when a log is doubted."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from palate.landing.chunks import Reading
from palate.landing.tails import Tail, of_record
from palate.positions.ranges import FeedPartition, Range
from palate.settings import Settings

A, B = FeedPartition("t", 0, 0), FeedPartition("t", 0, 1)
SETTINGS = Settings(dwh_dsn="")


def record(offset: int, partition: int = 0, value: bytes = b"", epoch: int = 0) -> Any:
    return SimpleNamespace(
        topic="t",
        partition=partition,
        offset=offset,
        value=value or b"%d" % offset,
        key=None,
        headers=[],
        timestamp=offset,
        leader_epoch=epoch,
    )


class FakeReader:
    """Hands out polls; each may say to where positions have moved by then."""

    def __init__(self, *polls: list[Any], ends: dict[int, int] | None = None) -> None:
        self._given = polls
        self._ends = ends or {}
        self._at: dict[tuple[str, int], int] = {}
        self.left: list[tuple[str, int]] = []
        self.unreadable: dict[tuple[str, int], Any] = {}

    def seek(self, positions: dict[tuple[str, int], int]) -> None:
        self._at |= positions

    def position(self, key: tuple[str, int]) -> int:
        return self._at[key]

    def leave(self, key: tuple[str, int]) -> None:
        self.left.append(key)

    def records(self, until: dict[tuple[str, int], int]) -> Iterator[list[Any]]:
        for polled in self._given:
            for one in polled:
                self._at[one.topic, one.partition] = one.offset + 1
            for partition, end in self._ends.items():
                self._at["t", partition] = end
            yield polled


def taken(reading: Reading, **limits: Any) -> list[tuple[int, int]]:
    found = reading.take(
        limits.get("messages", 100), SETTINGS, None, limits.get("room")
    )
    return [(item.partition, one.offset) for item, one in found]


def test_log_with_the_same_tail_is_read_on() -> None:
    reader = FakeReader([record(4), record(5), record(6)])
    reading = Reading(reader, {A: 5}, {A: 7}, {A: (4, of_record(record(4)))})  # type: ignore[arg-type]

    assert reading.ahead() == {A: 5}
    assert taken(reading) == [(0, 5), (0, 6)]
    assert reading.taken() == [Range(A, 5, 7)]
    assert [one.offset for one in reading.newest().values()] == [6]
    assert (reading.ahead(), reading.doubted) == ({}, set())


@pytest.mark.parametrize(
    "first",
    [
        [record(4, value=b"other")],
        [record(4, epoch=7)],  # sent again, under a later leader
        [record(6)],  # it is missing
        [record(3), record(4)],
        [record(4), record(5)],  # where none was before
    ],
    ids=["other bytes", "later leader", "missing", "before it", "behind it"],
)
def test_log_that_is_not_the_same_gives_nothing(first: list[Any]) -> None:
    """The other log, in the same polls, is read on."""
    reader = FakeReader([*first, record(0, 1)], [record(8), record(1, 1)])
    reading = Reading(
        reader,  # type: ignore[arg-type]
        {A: 6, B: 0},
        {A: 9, B: 2},
        {A: (4, of_record(record(4)))},
    )

    assert taken(reading) == [(1, 0), (1, 1)]
    assert reading.taken() == [Range(B, 0, 2)]
    assert reading.doubted == {A}
    assert reader.left == [("t", 0)]
    assert reading.is_done


def test_tail_that_never_comes_is_doubted_and_moves_nothing() -> None:
    """Markers of transactions have moved the position past the start meanwhile."""
    reader = FakeReader([record(0, 1)], [record(1, 1)], ends={0: 9})
    tail = Tail(4, 0, b"")
    reading = Reading(reader, {A: 6, B: 0}, {A: 9, B: 2}, {A: (4, tail)})  # type: ignore[arg-type]

    assert taken(reading, messages=1) == [(1, 0)]
    assert reading.taken() == [Range(B, 0, 1)]
    assert taken(reading) == [(1, 1)]
    assert reading.taken() == [Range(B, 1, 2)]
    assert reading.doubted == {A}


def test_record_below_the_start_of_a_log_without_a_tail_is_doubted() -> None:
    """Retention has taken the tail; behind it there was nothing when it was read."""
    reader = FakeReader([record(5), record(6)])
    reading = Reading(reader, {A: 6}, {A: 7}, {A: (5, None)})  # type: ignore[arg-type]

    assert taken(reading) == []
    assert reading.doubted == {A}


def test_what_is_held_back_is_not_taken() -> None:
    reader = FakeReader([record(0), record(1), record(2)])
    reading = Reading(reader, {A: 0}, {A: 3})  # type: ignore[arg-type]

    assert taken(reading, messages=2) == [(0, 0), (0, 1)]
    assert reading.taken() == [Range(A, 0, 2)]
    assert reading.has_moved is False
    assert reading.ahead() == {A: 2}
    assert taken(reading) == [(0, 2)]
    assert reading.taken() == [Range(A, 2, 3)]


def test_chunk_ends_where_there_is_no_room() -> None:
    """And the next one begins there, however far the offset is."""
    reader = FakeReader([record(0), record(1), record(900)])
    reading = Reading(reader, {A: 0}, {A: 901})  # type: ignore[arg-type]

    assert taken(reading, room={A: 2}) == [(0, 0), (0, 1)]
    assert reading.taken() == [Range(A, 0, 900)]
    assert reading.ahead() == {A: 900}
    assert taken(reading, room={A: 1000}) == [(0, 900)]
    assert reading.taken() == [Range(A, 900, 901)]

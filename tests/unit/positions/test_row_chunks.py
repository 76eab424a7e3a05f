"""How ranges are cut into chunks of rows."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.names import DICTIONARY_FEED
from palate.positions import row_chunks
from palate.positions.ranges import FeedPartition, Range
from tests.food import FOOD

TABLES = (row_chunks.MESSAGES, FOOD.rows_table)
A, B, C = (FeedPartition("t", 0, number) for number in range(3))


class Store:
    """Stands for a connection to tables with rows at some offsets of each log.

    In STG a partition begins at each hundredth offset.
    """

    def __init__(self, offsets: dict[FeedPartition, list[int]]) -> None:
        self.offsets = offsets
        self.asked = 0
        self._found: list[tuple[Any, ...]] = []

    def execute(self, query: str, values: Any, prepare: bool = True) -> "Store":
        self.asked += 1
        if "ops.event_partitions" in query:
            self._found = [
                (log.topic, log.epoch, log.partition, start)
                for log, there in sorted(self.offsets.items())
                for start in sorted({n - n % 100 for n in there})
            ]
            return self
        if isinstance(values, dict):
            names = ("topic", "epoch", "partition", "from_offset", "to_offset")
            *log, start, end = (values[name] for name in names)
            found = self._between(log, start, end)[: values["limit"]]
            self._found = [(max(found, default=None), len(found))]
        else:
            *log, start, end, number = values
            found = self._between(log, start, end)[number : number + 1]
            self._found = [(offset,) for offset in found]
        return self

    def _between(self, log: list[Any], start: int, end: int) -> list[int]:
        return [n for n in self.offsets[FeedPartition(*log)] if start <= n < end]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._found)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._found[0] if self._found else None


def first(store: Store, ranges: list[Range], limit: int) -> list[Range]:
    found, same = (row_chunks.first(store, ranges, limit, rows) for rows in TABLES)  # type: ignore[arg-type]
    assert found == same
    return found


def every(store: Store, ranges: list[Range], limit: int) -> list[list[Range]]:
    found, same = (
        list(row_chunks.every(store, ranges, limit, rows)) for rows in TABLES
    )  # type: ignore[arg-type]
    assert found == same
    return found


def dense(ranges: list[Range]) -> Store:
    return Store({item.log: list(range(item.start, item.end)) for item in ranges})


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        pytest.param([10, 10], 100, [10, 10], id="all fits"),
        pytest.param([10, 10], 20, [10, 10], id="all just fits"),
        pytest.param([10, 10], 10, [5, 5], id="an equal share each"),
        pytest.param([2, 100], 10, [2, 8], id="what one leaves the other gets"),
        pytest.param([100, 2], 10, [8, 2], id="whichever comes first"),
        pytest.param([3, 100, 100], 15, [3, 6, 6], id="equal shares of the rest"),
        pytest.param([5, 5, 5], 2, [1, 1, 0], id="fewer offsets than logs"),
        pytest.param([7], 1, [1], id="one at a time"),
        pytest.param([], 10, [], id="nothing"),
    ],
)
def test_limit_is_shared_out(sizes: list[int], limit: int, expected: list[int]) -> None:
    logs = (A, B, C)
    ranges = [
        Range(log, 100, 100 + size) for log, size in zip(logs, sizes, strict=False)
    ]
    taken = {item.log: len(item) for item in first(dense(ranges), ranges, limit)}
    assert [taken.get(log, 0) for log in logs[: len(sizes)]] == expected


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(1, 100))
def test_beginnings_up_to_the_limit_are_taken(sizes: list[int], limit: int) -> None:
    ranges = [
        Range(FeedPartition("t", 0, n), n, n + size) for n, size in enumerate(sizes)
    ]
    taken = first(dense(ranges), ranges, limit)
    assert sum(map(len, taken)) == min(limit, sum(sizes))
    whole = {item.log: item for item in ranges}
    assert all(item.start == whole[item.log].start for item in taken)
    assert all(0 < len(item) <= len(whole[item.log]) for item in taken)
    assert taken == sorted(taken)


def test_offsets_without_rows_are_passed_over_in_one_step() -> None:
    gap = 500_000_000
    store = Store({A: [*range(10), *range(gap, gap + 25)]})
    assert every(store, [Range(A, 0, gap + 25)], 20) == [
        [Range(A, 0, gap + 10)],
        [Range(A, gap + 10, gap + 25)],
    ]


def test_compacted_log_is_cut_by_its_rows() -> None:
    store = Store({A: list(range(0, 1_000_000, 10_000))})
    found = every(store, [Range(A, 0, 1_000_000)], 20)
    assert len(found) == 5


def test_small_range_asks_nothing() -> None:
    ranges = [Range(A, 0, 5), Range(B, 0, 5)]
    store = dense(ranges)
    assert first(store, ranges, 20_000) == ranges
    assert store.asked == 0


def test_feed_has_no_gaps_and_its_rows_are_elsewhere() -> None:
    item = Range(FeedPartition(DICTIONARY_FEED, 0, 0), 5, 50)
    store = Store({})
    assert first(store, [item], 10) == [Range(item.log, 5, 15)]


@given(
    st.lists(st.integers(0, 200), unique=True).map(sorted),
    st.integers(1, 30),
    st.integers(0, 40),
)
def test_chunks_are_all_of_it_and_small(
    offsets: list[int], limit: int, start: int
) -> None:
    whole = Range(A, start, 201)
    pieces = [item for (item,) in every(Store({A: offsets}), [whole], limit)]
    assert [pieces[0].start, *(item.end for item in pieces)] == [
        *(item.start for item in pieces),
        whole.end,
    ]
    for item in pieces:
        assert sum(item.start <= n < item.end for n in offsets) <= limit

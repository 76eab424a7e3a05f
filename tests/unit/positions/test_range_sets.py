"""Sums and differences of ranges."""

from hypothesis import given
from hypothesis import strategies as st

from palate.positions.range_sets import merged, minus, rounds
from palate.positions.ranges import FeedPartition, Range

LOGS = [FeedPartition("t", 0, number) for number in range(2)]
RANGES = st.lists(
    st.builds(
        lambda log, start, size: Range(log, start, start + size),
        st.sampled_from(LOGS),
        st.integers(0, 30),
        st.integers(1, 10),
    ),
    max_size=8,
)


def offsets(ranges: list[Range]) -> set[tuple[FeedPartition, int]]:
    return {(item.log, n) for item in ranges for n in range(item.start, item.end)}


@given(RANGES, RANGES)
def test_what_is_left_is_all_but_what_was_taken(
    ranges: list[Range], taken: list[Range]
) -> None:
    left = minus(ranges, taken)
    assert offsets(left) == offsets(ranges) - offsets(taken)
    assert merged(left) == left


@given(RANGES)
def test_rounds_have_each_log_once_and_everything(ranges: list[Range]) -> None:
    whole = merged(ranges)
    found = rounds(whole)
    assert sorted(item for items in found for item in items) == whole
    for items in found:
        assert len({item.log for item in items}) == len(items)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.positions import Log, Range, first

A, B, C = (Log("t", 0, number) for number in range(3))


def test_log_names_its_epoch_once_there_was_another() -> None:
    assert str(Log("orders", 0, 2)) == "orders[2]"
    assert str(Log("orders", 1, 2)) == "orders[2] epoch 1"


def test_range_is_shown_with_the_last_offset_taken() -> None:
    assert str(Range(A, 5, 9)) == "t[0] 5..8"
    assert len(Range(A, 5, 9)) == 4


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
def test_first_shares_out_the_limit(
    sizes: list[int], limit: int, expected: list[int]
) -> None:
    logs = (A, B, C)
    ranges = [
        Range(log, 100, 100 + size) for log, size in zip(logs, sizes, strict=False)
    ]
    taken = {item.log: len(item) for item in first(ranges, limit)}
    assert [taken.get(log, 0) for log in logs[: len(sizes)]] == expected


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(1, 100))
def test_first_takes_beginnings_up_to_the_limit(sizes: list[int], limit: int) -> None:
    ranges = [Range(Log("t", 0, n), n, n + size) for n, size in enumerate(sizes)]
    taken = first(ranges, limit)
    assert sum(map(len, taken)) == min(limit, sum(sizes))
    whole = {item.log: item for item in ranges}
    assert all(item.start == whole[item.log].start for item in taken)
    assert all(0 < len(item) <= len(whole[item.log]) for item in taken)
    assert taken == sorted(taken)

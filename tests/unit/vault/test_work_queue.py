"""The queue that lets several lanes load the vault side by side."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from palate.positions.ranges import FeedPartition, Range
from palate.vault.work_queue import WorkQueue

LOGS = [FeedPartition("t", 0, number) for number in range(3)]


def cut(size: int) -> Callable[[Range], Range]:
    """Return what cuts a chunk of so many offsets."""
    return lambda item: replace(item, end=min(item.start + size, item.end))


def test_one_log_is_given_out_piece_by_piece() -> None:
    queue = WorkQueue([Range(LOGS[0], 10, 35)], lanes=2)
    taken = []
    while item := queue.take(cut(10)):
        taken.append((item.start, item.end))
        queue.done(item)
    assert taken == [(10, 20), (20, 30), (30, 35)]


def test_log_longer_than_the_share_of_a_lane_is_given_out_first() -> None:
    queue = WorkQueue([Range(LOGS[0], 0, 5), Range(LOGS[1], 0, 50)], lanes=2)
    first, second = queue.take(cut(10)), queue.take(cut(10))
    assert (first, second) == (Range(LOGS[1], 0, 10), Range(LOGS[0], 0, 5))


def test_short_log_does_not_wait_for_the_end_of_longer_ones() -> None:
    waiting = [Range(LOGS[0], 0, 200), Range(LOGS[1], 0, 150), Range(LOGS[2], 0, 10)]
    queue = WorkQueue(waiting, lanes=2)
    taken = []
    for _ in range(3):  # both lanes at work, in step
        pieces = [queue.take(cut(10)), queue.take(cut(10))]
        taken += pieces
        for piece in pieces:
            assert piece
            queue.done(piece)
    assert Range(LOGS[2], 0, 10) in taken[:4]
    assert Range(LOGS[0], 20, 30) in taken  # and the longest one never pauses


def test_lanes_share_the_work_and_never_a_log() -> None:
    waiting = [Range(log, 0, 100 * (n + 1)) for n, log in enumerate(LOGS)]
    lanes = 4
    queue = WorkQueue(waiting, lanes)
    at_work: Counter[FeedPartition] = Counter()
    taken: dict[FeedPartition, list[Range]] = {log: [] for log in LOGS}
    together = threading.Barrier(lanes)

    def work() -> None:
        together.wait()
        while item := queue.take(cut(7)):
            at_work[item.log] += 1
            assert at_work[item.log] == 1
            taken[item.log].append(item)
            at_work[item.log] -= 1
            queue.done(item)

    with ThreadPoolExecutor(lanes) as pool:
        for lane in [pool.submit(work) for _ in range(lanes)]:
            lane.result()

    for item in waiting:
        pieces = taken[item.log]
        assert [piece.start for piece in pieces] == list(range(0, item.end, 7))
        assert sum(map(len, pieces)) == len(item)


def test_lane_waits_for_the_rest_of_a_log_that_is_at_work() -> None:
    queue = WorkQueue([Range(LOGS[0], 0, 20)], lanes=2)
    item = queue.take(cut(10))
    assert item is not None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.take, cut(10))
        assert not waiting.done()
        queue.done(item)
        assert waiting.result(timeout=10) == Range(LOGS[0], 10, 20)


def test_lane_ends_when_the_last_piece_is_done() -> None:
    queue = WorkQueue([Range(LOGS[0], 0, 10)], lanes=2)
    item = queue.take(cut(10))
    assert item is not None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.take, cut(10))
        queue.done(item)
        assert waiting.result(timeout=10) is None


def test_error_in_one_lane_ends_the_others() -> None:
    queue = WorkQueue([Range(log, 0, 100) for log in LOGS], lanes=2)
    queue.take(cut(10))

    def fail() -> None:
        with queue.closing_on_error():
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert queue.take(cut(10)) is None


def test_error_wakes_a_lane_that_waits() -> None:
    queue = WorkQueue([Range(LOGS[0], 0, 20)], lanes=2)
    queue.take(cut(10))

    def fail() -> None:
        with queue.closing_on_error():
            raise ValueError("no")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.take, cut(10))
        with pytest.raises(ValueError, match="no"):
            fail()
        assert waiting.result(timeout=10) is None

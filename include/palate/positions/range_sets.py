"""Operations on ranges of several partitions: union, difference, intersection."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from palate.positions.ranges import FeedPartition, Range


def without(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """Return the rest of ranges, one per log, whose beginnings were taken."""
    ends = {item.log: item.end for item in taken}
    left = [replace(item, start=ends.get(item.log, item.start)) for item in ranges]
    return [item for item in left if len(item)]


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges without overlaps, in order."""
    found: list[Range] = []
    for item in sorted(ranges):
        if found and found[-1].log == item.log and item.start <= found[-1].end:
            found[-1] = replace(found[-1], end=max(found[-1].end, item.end))
        else:
            found.append(item)
    return found


def minus(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """Return the ranges without the others, in order."""
    found = []
    gone = merged(taken)
    for item in merged(ranges):
        for cut in gone:
            if cut.log == item.log and cut.start < item.end and item.start < cut.end:
                if item.start < cut.start:
                    found.append(replace(item, end=cut.start))
                item = replace(item, start=min(cut.end, item.end))
        if len(item):
            found.append(item)
    return found


def rounds(ranges: Iterable[Range]) -> list[list[Range]]:
    """Return the ranges in lists that have at most one of each partition."""
    found: list[list[Range]] = []
    by_partition = sorted(ranges, key=_partition)
    for _, items in groupby(by_partition, key=lambda item: _partition(item)[:2]):
        for number, item in enumerate(items):
            if number == len(found):
                found.append([])
            found[number].append(item)
    return found


def _partition(item: Range) -> tuple[str, int, int, int]:
    return item.log.topic, item.log.partition, item.log.epoch, item.start


def cut(
    bounds: dict[FeedPartition, tuple[int, int]], ranges: Iterable[Range]
) -> list[Range]:
    """Return the ranges within the bounds of their logs."""
    found = []
    for item in ranges:
        low, high = bounds.get(item.log, (0, 0))
        low, high = max(item.start, low), min(item.end, high)
        if low < high:
            found.append(Range(item.log, low, high))
    return found

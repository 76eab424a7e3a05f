"""Positions, ranges of them, and how far each stage is (ADR 0001).

A position is (topic, epoch, partition, offset). A range holds the offsets from
``start`` up to, and without, ``end``.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

log = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class FeedPartition:
    """One sequence of offsets: a partition of a topic in one of its epochs."""

    topic: str
    epoch: int
    partition: int

    def __str__(self) -> str:
        """Return ``topic[partition]``, with the epoch once there was another one."""
        epoch = f" epoch {self.epoch}" if self.epoch else ""
        return f"{self.topic}[{self.partition}]{epoch}"


@dataclass(frozen=True, order=True)
class Range:
    """The offsets ``start <= offset < end`` of one log."""

    log: FeedPartition
    start: int
    end: int

    def __len__(self) -> int:
        """Return how many offsets it spans; a log may have gaps."""
        return self.end - self.start

    def __str__(self) -> str:
        """Return ``topic[partition] start..end`` with the last offset taken."""
        return f"{self.log} {self.start}..{self.end - 1}"


def without(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """Return what is left of ranges, one of each log, whose beginnings were taken."""
    ends = {item.log: item.end for item in taken}
    left = [replace(item, start=ends.get(item.log, item.start)) for item in ranges]
    return [item for item in left if len(item)]

"""Positions, and ranges of them (ADR 0001).

A position is (topic, epoch, partition, offset). A range holds the offsets from
``start`` up to, and without, ``end``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class FeedPartition:
    """One sequence of offsets: a partition of a topic in one of its epochs."""

    topic: str
    epoch: int
    partition: int

    def __str__(self) -> str:
        """Return ``topic[partition]``, with the epoch from the second one on."""
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

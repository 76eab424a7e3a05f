"""Samples of a measurement, their median, and their spread."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Samples:
    """The values of one quantity in several repetitions."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Return the middle value."""
        return statistics.median(self.values)

    def percentile(self, percent: int) -> float:
        """Return the smallest value that this share of the values does not exceed."""
        ordered = sorted(self.values)
        rank = -(-len(ordered) * percent // 100)
        return ordered[max(rank, 1) - 1]

    @contextmanager
    def timed(self, scale: float = 1.0) -> Iterator[None]:
        """Add the seconds that the body takes, times ``scale``."""
        start = time.perf_counter()
        yield
        self.values.append((time.perf_counter() - start) * scale)

"""The queue of work for parallel loaders.

Two loaders can't share a log: its chunks move one watermark, so they commit in order,
and the second one could hold keys that the first one waits for (ADR 0020).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from palate.positions import FeedPartition, Range


class WorkQueue:
    """Chunks of ranges for parallel loaders, one loader per log at a time."""

    def __init__(self, waiting: list[Range], lanes: int) -> None:
        """Take ranges of different logs, for this many loaders."""
        # Ordered by when they were last served.
        self._free = {item.log: item for item in waiting}
        self._rest: dict[FeedPartition, Range] = {}
        self._loaders = lanes
        self._closed = False
        self._changed = threading.Condition()

    def take(self, cut: Callable[[Range], Range]) -> Range | None:
        """Return the next chunk, or None when all is taken.

        The logs take turns, so that a short one waits for one chunk of each other one.
        But a log longer than a loader's share of the rest goes first: with any pause it
        would still be loading alone when all others are done.

        :param cut: returns the beginning of a range that makes a chunk
        """
        with self._changed:
            while not self._free and self._rest and not self._closed:
                self._changed.wait()
            if not self._free or self._closed:
                return None
            left = [*self._free.values(), *self._rest.values()]
            longest = max(self._free.values(), key=len)
            if len(longest) * self._loaders < sum(map(len, left)):
                longest = next(iter(self._free.values()))
            item = self._free.pop(longest.log)
            self._rest[item.log] = item
        chunk = cut(item)
        with self._changed:
            self._rest[item.log] = replace(item, start=chunk.end)
        return chunk

    def done(self, item: Range) -> None:
        """Release the rest of the chunk's log."""
        with self._changed:
            rest = self._rest.pop(item.log)
            if len(rest):
                self._free[item.log] = rest
            self._changed.notify_all()

    @contextmanager
    def closing_on_error(self) -> Iterator[None]:
        """Make the other loaders stop after their chunk if this one fails."""
        try:
            yield
        except BaseException:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            raise

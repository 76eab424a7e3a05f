"""What lanes, which load side by side, take their work from."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from palate.positions import Log, Range


class Queue:
    """Chunks of ranges for several lanes, one lane at a log at a time."""

    def __init__(self, waiting: list[Range], chunk: int) -> None:
        """Take ranges of different logs; a chunk has so many positions at most."""
        self._free = {item.log: item for item in waiting}
        self._rest: dict[Log, Range] = {}
        self._busy = 0
        self._closed = False
        self._chunk = chunk
        self._changed = threading.Condition()

    def take(self) -> Range | None:
        """Return the next chunk of the longest log, or None when all is taken."""
        with self._changed:
            while not self._free and self._busy and not self._closed:
                self._changed.wait()
            if not self._free or self._closed:
                return None
            item = self._free.pop(max(self._free, key=lambda log: len(self._free[log])))
            cut = min(item.start + self._chunk, item.end)
            self._rest[item.log] = replace(item, start=cut)
            self._busy += 1
            return replace(item, end=cut)

    def done(self, item: Range) -> None:
        """Give the rest of the chunk's log free again."""
        with self._changed:
            rest = self._rest.pop(item.log)
            if len(rest):
                self._free[item.log] = rest
            self._busy -= 1
            self._changed.notify_all()

    @contextmanager
    def closing_on_error(self) -> Iterator[None]:
        """Let the other lanes end after their chunk if this one fails."""
        try:
            yield
        except BaseException:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            raise

"""How many files may come in at once, in all and of a company."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from palate.files import Reason, RefusedError
from palate.intake.metrics import UPLOADS

_RETRY = {"Retry-After": "5"}


class Shares:
    """The uploads of one process. Thread-safe."""

    def __init__(self, in_all: int, of_company: int) -> None:
        """Begin with none."""
        self._in_all = in_all
        self._of_company = of_company
        self._companies: Counter[str] = Counter()
        self._keys: set[tuple[str, str, str]] = set()
        self._lock = Lock()

    @contextmanager
    def taken(self, company: str, dataset: str, key: str | None) -> Iterator[None]:
        """Count an upload while it lasts.

        :raises RefusedError: if there are too many, or the same key is under way
        """
        marked = (company, dataset, key) if key is not None else None
        with self._lock:
            if self._companies.total() >= self._in_all:
                detail = "Too many files are on their way in. Try again in a moment."
                raise RefusedError(Reason.UNAVAILABLE, detail, headers=_RETRY)
            if self._companies[company] >= self._of_company:
                detail = (
                    f"{self._of_company} files of yours are on their way in, which is "
                    "your share. Wait for one of them."
                )
                raise RefusedError(Reason.OVER_ITS_SHARE, detail, headers=_RETRY)
            if marked in self._keys:
                detail = (
                    "A file with this Idempotency-Key is on its way in. Ask again once "
                    "it is answered."
                )
                raise RefusedError(Reason.STILL_RUNNING, detail, headers=_RETRY)
            self._companies[company] += 1
            if marked:
                self._keys.add(marked)
            UPLOADS.set(self._companies.total())
        try:
            yield
        finally:
            with self._lock:
                self._companies[company] -= 1
                if marked:
                    self._keys.discard(marked)
                UPLOADS.set(self._companies.total())

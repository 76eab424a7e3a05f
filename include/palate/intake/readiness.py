"""Whether a file could be taken now: each dependency is looked at in the background.

A look that hangs is a bad one: an answer never waits for it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from time import monotonic

from palate.errors import PalateError
from palate.intake.metrics import UP

log = logging.getLogger(__name__)

EVERY_SECONDS = 3.0
_LOOK_SECONDS = 3.0


@dataclass(frozen=True)
class State:
    """What the last look has shown: since when it is so; why it is bad, if it is."""

    since: datetime
    trouble: str | None


class Dependency:
    """One dependency, looked at again and again by a thread of its own."""

    def __init__(self, name: str, look: Callable[[], None]) -> None:
        """Look at nothing yet.

        :param look: raises if it is not well
        """
        self.name = name
        self._look = look
        self._lock = Lock()
        self._state = State(datetime.now(UTC), "it was not looked at yet")
        self._began: float | None = None
        self._is_over = Event()

    def start(self) -> None:
        """Begin to look."""
        Thread(target=self._run, name=f"looks at {self.name}", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()

    def state(self) -> State:
        """Return what is known, at once."""
        with self._lock:
            if self._began is not None and monotonic() - self._began > _LOOK_SECONDS:
                self._note(f"it does not answer within {_LOOK_SECONDS:g} s")
            return self._state

    def _run(self) -> None:
        while not self._is_over.is_set():
            with self._lock:
                self._began = monotonic()
            trouble = self._tried()
            with self._lock:
                self._began = None
                self._note(trouble)
            self._is_over.wait(EVERY_SECONDS)

    def _tried(self) -> str | None:
        try:
            self._look()
        except PalateError as error:
            log.warning("Not ready: %s", error)
            return "it can't be used"
        except Exception:
            log.exception("Not ready: the look at %s has failed.", self.name)
            return "it can't be looked at"
        return None

    def _note(self, trouble: str | None) -> None:
        UP.labels(self.name).set(trouble is None)
        if trouble != self._state.trouble:
            self._state = State(datetime.now(UTC), trouble)


class Readiness:
    """All that has to be well before a file is taken."""

    def __init__(self, looks: dict[str, Callable[[], None]], without: str = "") -> None:
        """Look at nothing yet.

        :param without: a dependency that may be down
        """
        self._dependencies = [Dependency(name, look) for name, look in looks.items()]
        self._without = without
        self.is_stopping = False

    def start(self) -> None:
        """Begin to look."""
        for one in self._dependencies:
            one.start()

    def stop(self) -> None:
        """Look no more."""
        for one in self._dependencies:
            one.stop()

    def answer(self) -> tuple[bool, dict[str, object]]:
        """Return whether all is well, and what is known of each, without addresses."""
        checks: dict[str, object] = {}
        is_ready = not self.is_stopping
        for one in self._dependencies:
            state = one.state()
            if state.trouble is None:
                checks[one.name] = "ok"
                continue
            is_ready = is_ready and one.name == self._without
            since = state.since.isoformat(timespec="seconds").replace("+00:00", "Z")
            checks[one.name] = {"fails": state.trouble, "since": since}
        word = "stopping" if self.is_stopping else "ready" if is_ready else "not ready"
        return is_ready, {"status": word, "checks": checks}

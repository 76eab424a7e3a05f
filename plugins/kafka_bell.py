"""The bell: it rings when Kafka has messages that the ledger does not know yet.

It carries no message and keeps no position: what a run takes, the ledger decides. A
ring that is lost costs time, nothing else; a ring too many is a run that finds nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from palate.database import Connection
    from palate.kafka import Reader
    from palate.settings import Settings

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
_DUE_SECONDS = 5
# A long drain commits chunk by chunk; each of them is no reason for another run.
_CHUNK_SECONDS = 2
# The broker answers in milliseconds or not at all; ending a trigger waits for it.
_KAFKA_SECONDS = 5
_FIRST_PAUSE = 15
_LONGEST_PAUSE = 300


class KafkaBell(BaseEventTrigger):
    """Ring once when messages begin to wait, and again if nobody takes them.

    It also rings for dictionary entries that are to be asked for. Where the services
    are, the Airflow Connections say; while one does not answer, it keeps trying.
    """

    def __init__(self, topics: list[str]) -> None:
        """Watch these topics.

        :param topics: they are part of the trigger's identity (apache/airflow #71460)
        """
        super().__init__()
        self.topics = topics

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments that make it anew in the triggerer."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "topics": self.topics
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event without a payload whenever a run should start; never end."""
        loop = asyncio.get_running_loop()
        # One thread for as long as the bell hangs: neither client may be shared.
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bell")
        watch = Watch(self.topics)
        failures = Failures()
        try:
            while True:
                pause: float = _POLL_SECONDS
                try:
                    if not watch.is_open:
                        settings = await _settings()
                        await loop.run_in_executor(thread, watch.open, settings)
                    is_ringing = await loop.run_in_executor(thread, watch.look)
                    failures.over()
                # Whatever it is: a trigger that ends is not started again.
                except Exception as error:
                    pause = failures.another(error)
                    await loop.run_in_executor(thread, watch.close)
                else:
                    if is_ringing:
                        yield TriggerEvent(None)
                await asyncio.sleep(pause)
        finally:
            thread.submit(watch.close)
            thread.shutdown(wait=False)


@dataclass
class Ringing:
    """Tells when what waits deserves a ring.

    At once when it is new, or when some of it was taken and some is left; again, with
    growing pauses, while nobody takes it.
    """

    _progress: object = None
    _rung: float = 0
    _pause: float = 0

    def is_needed(self, is_waiting: bool, progress: object, now: float) -> bool:
        """Tell whether to ring now.

        :param progress: changes when something was taken
        :param now: seconds of a clock that only goes forward
        """
        if not is_waiting:
            self._pause = 0
            return False
        is_moving = progress != self._progress and now >= self._rung + _CHUNK_SECONDS
        if self._pause == 0 or is_moving:
            pause = _FIRST_PAUSE
        elif now >= self._rung + self._pause:
            pause = min(self._pause * 2, _LONGEST_PAUSE)
        else:
            return False
        self._rung, self._pause, self._progress = now, pause, progress
        return True


@dataclass
class Failures:
    """Counts failures in a row: logs the first and the end, and gives the pauses."""

    _number: int = 0

    def another(self, error: Exception) -> float:
        """Return how long to wait before the next try, in seconds."""
        if not self._number:
            log.warning(
                "The bell can't look and keeps trying; until then a run starts every "
                "five minutes. %s: %s",
                type(error).__name__,
                error,
            )
        self._number += 1
        return min(2.0 ** (self._number - 1), 15.0)

    def over(self) -> None:
        """Note that it works."""
        if self._number:
            log.warning("The bell looks again, after %s failures.", self._number)
        self._number = 0


class Watch:
    """Compares the broker with the ledger; not for two threads at once."""

    def __init__(self, topics: list[str]) -> None:
        """Describe what to look at; ``open`` connects."""
        self._topics = topics
        self._orders = Ringing()
        self._entries = Ringing()
        self._due_looked = 0.0
        self._was_due = False
        self._open = ExitStack()
        self._reader: Reader | None = None
        self._conn: Connection | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether both clients are connected."""
        return self._reader is not None

    def open(self, settings: Settings) -> None:
        """Connect to the broker and to the warehouse."""
        from palate.database import connect
        from palate.kafka import open_reader

        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # this class reports
        settings = settings.model_copy(update={"palate_kafka_timeout": _KAFKA_SECONDS})
        self._conn = self._open.enter_context(connect(settings))
        self._reader = self._open.enter_context(open_reader(settings))

    def close(self) -> None:
        """Disconnect; ``open`` may follow."""
        self._reader = self._conn = None
        self._open.close()

    def look(self) -> bool:
        """Tell whether to ring now."""
        return any([self._orders_wait(), self._entries_are_due()])

    def _orders_wait(self) -> bool:
        from palate import staging
        from palate.positions import watermarks

        # The broker first: what is taken meanwhile must not look as if it waited.
        states = [self._reader.state(topic) for topic in self._topics]
        number = staging.waiting(self._conn, states)
        progress = watermarks(self._conn, staging.STAGE) if number else None
        return self._orders.is_needed(number > 0, progress, time.monotonic())

    def _entries_are_due(self) -> bool:
        from palate import dictionaries

        now = time.monotonic()
        if now < self._due_looked + _DUE_SECONDS:
            return False
        is_due, was_due = dictionaries.is_due(self._conn), self._was_due
        self._due_looked, self._was_due = now, is_due
        # Twice in a row: a run that is at it right now needs no ring.
        return self._entries.is_needed(is_due and was_due, None, now)


async def _settings() -> Settings:
    from palate_airflow import trigger_settings

    return await trigger_settings()

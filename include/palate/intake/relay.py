"""The relay: sends entered events to Kafka, in order, from one process at a time.

What is acknowledged is marked, event by event. After a kill in between, an event is
sent once more, with the same id.
"""

import logging
from contextlib import ExitStack
from itertools import groupby
from threading import Event, Thread

import psycopg

from palate import database
from palate.clients import kafka_sender
from palate.database import Connection
from palate.errors import PalateError
from palate.files import IntakeSettings, events
from palate.intake.metrics import EVENTS

log = logging.getLogger(__name__)

_LOCK = "palate intake relay"
# So many are sent again at the most after a kill.
_AT_ONCE = 500
_POLL_SECONDS = 0.5
_PAUSE_SECONDS = 2.0


class Relay:
    """Sends what waits, in a thread of its own, while it has the lock."""

    def __init__(self, settings: IntakeSettings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._wake = Event()
        self._is_over = Event()
        self._thread = Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Let it look at once: something was entered."""
        self._wake.set()

    def stop(self) -> None:
        """End, after what is being sent."""
        self._is_over.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                self._serve()
            except PalateError as error:
                log.warning("Events wait: %s", error)
            except Exception:
                log.exception("Events wait: the relay has failed and tries again.")
            self._is_over.wait(_PAUSE_SECONDS)

    def _serve(self) -> None:
        """Send what is entered, from when this process has the lock."""
        with (
            database.connect(self._settings, "The relay") as conn,
            ExitStack() as opened,
        ):
            while not self._has_lock(conn):
                if self._is_over.wait(_PAUSE_SECONDS):
                    return
            senders: dict[str, kafka_sender.Sender] = {}
            while not self._is_over.is_set():
                found = events.waiting(conn, _AT_ONCE)
                for topic, group in groupby(found, key=lambda one: one.topic):
                    if topic not in senders:
                        senders[topic] = opened.enter_context(
                            kafka_sender.open_sender(self._settings, topic, {})
                        )
                    self._send(conn, senders[topic], list(group))
                if not found:
                    self._wake.wait(_POLL_SECONDS)
                    self._wake.clear()

    def _send(
        self, conn: Connection, sender: kafka_sender.Sender, group: list[events.Waiting]
    ) -> None:
        try:
            sender.send((one.company, one.value.encode(), one.headers) for one in group)
        except PalateError:
            for one in group:
                EVENTS.labels(one.event, "failed").inc()
            raise
        events.mark_sent(conn, [one.number for one in group])
        for one in group:
            EVENTS.labels(one.event, "sent").inc()

    @staticmethod
    def _has_lock(conn: psycopg.Connection[tuple[object, ...]]) -> bool:
        row = conn.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (_LOCK,)
        ).fetchone()
        return bool(row and row[0])

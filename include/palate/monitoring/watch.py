"""The watch: do messages reach the marts in time, and who must know of incidents.

It runs by itself, so that it works when nothing else does. It needs the broker and the
warehouse, and raises an alarm when one of them is down.
"""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from threading import Event
from typing import Self

import psycopg

from palate import incidents
from palate.clients import Reader, kafka_reader
from palate.database import Connection, connect
from palate.errors import AlarmNotSentError, PalateError
from palate.incidents import Incident, Kind
from palate.monitoring import freshness
from palate.monitoring.airline import AirlineWatch
from palate.monitoring.alarms import Alarm, Send, send_all
from palate.monitoring.freshness import Observed
from palate.monitoring.probe import Ledger, Probe, Queues, count_queues, read_ledger
from palate.settings import Settings
from palate.sources import catalog

log = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKS = 5.0
_LONGEST_PAUSE = 60.0
_SECONDS_BETWEEN_COUNTS = 15.0
_KAFKA = "kafka"
_WAREHOUSE = "warehouse"


class Watch:
    """One process's watch; not thread-safe."""

    def __init__(self, settings: Settings, send: Send) -> None:
        """Keep the settings; nothing is opened yet.

        :param send: sends one alarm, or raises
        """
        self._settings = settings
        self._send = send
        self._reader: Reader | None = None
        self._opened = ExitStack()
        self._served = ExitStack()
        # Since when the broker, or the warehouse, was not seen.
        self._blind_since: dict[str, float] = {}
        # The topics and partitions that the last check did not see.
        self._unseen: set[str] = set()
        # The warehouse can't keep the incident of its own outage.
        self._away: Incident | None = None
        self._send_from = 0.0
        # What metrics show.
        self._probe: Probe | None = None
        self._queues: Queues | None = None
        self._count_from = 0.0
        self._failures = 0
        self._airline = AirlineWatch(settings)

    def run(self, stop: Event) -> None:
        """Check and send alarms until ``stop`` is set, and serve metrics.

        :raises SettingsError: if the metrics can't be served
        """
        with self:
            while not stop.is_set():
                self.once()
                stop.wait(SECONDS_BETWEEN_CHECKS)

    def __enter__(self) -> Self:
        """Serve what is seen as metrics, if ``PALATE_METRICS_PORT`` is set.

        :raises SettingsError: if they can't be served
        """
        from palate.monitoring import exporter  # its library is the watch's alone

        self._served.enter_context(
            exporter.serving(self._settings, lambda: self._probe)
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Serve no more, and disconnect."""
        with self._opened:
            self._served.close()

    def once(self) -> None:
        """Check once, and send the alarms due."""
        probe = Probe()
        try:
            with connect(self._settings) as conn:
                observed = self._check(conn)
                self._airline.check(conn)
                self._warehouse_is_there()
                self._try(lambda: send_all(conn, self._send))
                if self._settings.palate_metrics_port is not None:
                    probe = Probe(observed, self._ledger(conn))
        except (PalateError, psycopg.Error) as error:
            self._warehouse_is_away(error)
        self._probe = probe

    def _ledger(self, conn: Connection) -> Ledger:
        now = time.monotonic()
        if now >= self._count_from:
            self._queues = count_queues(conn)
            self._count_from = now + _SECONDS_BETWEEN_COUNTS
        return read_ledger(conn, self._settings, self._queues)

    def _check(self, conn: Connection) -> Observed | None:
        """Return what was seen; None if the broker does not answer."""
        try:
            if self._reader is None:
                self._reader = self._opened.enter_context(
                    kafka_reader.open_reader(self._settings)
                )
            seen = freshness.observe(conn, self._reader, self._settings)
        except PalateError as error:
            self._opened.close()
            self._reader = None
            if self._is_blind_for_long(_KAFKA, error):
                incidents.begin(conn, Kind.WATCH, _KAFKA, _not_seen(error))
            return None
        self._blind_since.pop(_KAFKA, None)
        self._note_unseen(conn, seen.unseen)
        return seen

    def _note_unseen(self, conn: Connection, unseen: dict[str, PalateError]) -> None:
        names = {_KAFKA, *catalog.all_topics(self._settings), *self._unseen}
        names |= set(map(freshness.area_subject, catalog.area_names()))
        for name in names - unseen.keys():
            self._blind_since.pop(name, None)
        lasting = {
            name: _not_seen(error)
            for name, error in unseen.items()
            if self._is_blind_for_long(name, error)
        }
        self._unseen = set(unseen)
        incidents.keep(conn, Kind.WATCH, names, lasting)

    def _is_blind_for_long(self, what: str, error: Exception) -> bool:
        now = time.monotonic()
        if what not in self._blind_since:
            log.warning("The watch does not see the %s: %s", what, error)
        since = self._blind_since.setdefault(what, now)
        return now - since > self._settings.palate_freshness_seconds

    def _warehouse_is_away(self, error: Exception) -> None:
        if self._is_blind_for_long(_WAREHOUSE, error) and self._away is None:
            message = (
                f"No message reaches the marts: {error} See docs/operations.md, 'The "
                "promise is broken'."
            )
            away = Incident(Kind.WATCH, _WAREHOUSE, message, datetime.now(UTC))
            if self._try(lambda: self._send(Alarm(away, is_over=False))):
                self._away = away

    def _warehouse_is_there(self) -> None:
        self._blind_since.pop(_WAREHOUSE, None)
        if self._away:
            away = self._away
            over = Incident(
                away.kind, away.subject, away.message, away.began_dt, datetime.now(UTC)
            )
            if self._try(lambda: self._send(Alarm(over, is_over=True))):
                self._away = None

    def _try(self, sending: Callable[[], object]) -> bool:
        """Send; return whether it worked. After a failure wait before the next try."""
        now = time.monotonic()
        if now < self._send_from:
            return False
        try:
            sending()
        except AlarmNotSentError as error:
            log.error("%s", error)
            self._send_from = now + min(2.0**self._failures * 5, _LONGEST_PAUSE)
            self._failures += 1
            return False
        self._failures = 0
        return True


def _not_seen(error: Exception) -> str:
    return (
        f"Whether messages reach the marts in time can't be seen: {error} See "
        "docs/operations.md, 'The promise is broken'."
    )

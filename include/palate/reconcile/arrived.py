"""What the source had when it was read is in the vault: waited for, drained, loaded.

A beat of the clock with a greater LSN says that the connector has read so far. It may
overtake rows on their way to other topics; what the connector has confirmed to its slot
can't, so where the primary's catalogs may be read, that is waited for as well (ADR
0038).
"""

import logging
import time

import psycopg

from palate.database import connect
from palate.engine import Caller, Outcome
from palate.errors import ServiceUnavailableError
from palate.landing import drain
from palate.positions import FeedPartition, Range, messages, watermarks
from palate.settings import Settings
from palate.sources import Area
from palate.vault import clock
from palate.vault import stage as vault

log = logging.getLogger(__name__)

# A beat comes every few seconds, a confirmation every minute.
_PATIENCE_SECONDS = 300.0
_BETWEEN_SECONDS = 1.0
_NEWEST_BEATS = 100
_CONNECT_TIMEOUT = 3


def wait(settings: Settings, area: Area, caller: Caller, lsn: int) -> None:
    """Wait for all changes up to an LSN, and load all that the topics have then.

    :raises ServiceUnavailableError: if the connector doesn't get so far
    :raises SourceHeldError: if the source is held
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        drain.take_waiting(settings, area, caller)
        if _beats_above(settings, area, lsn) and _is_confirmed(settings, lsn):
            break
        if time.monotonic() > until:
            message = (
                f"The connector has not read beyond LSN {lsn}, where the standby is, "
                f"for {_PATIENCE_SECONDS:.0f} s: nothing was compared. Does it run, "
                "and its heart beat? See docs/flights-connector.md."
            )
            raise ServiceUnavailableError(message)
        time.sleep(_BETWEEN_SECONDS)
    while _is_at_limit(drain.take_waiting(settings, area, caller)):
        log.info("Drained a part of what waits.")
    vault.load_waiting(settings, area, caller)


def _is_at_limit(outcome: Outcome) -> bool:
    return drain.AT_LIMIT in outcome.note


def _beats_above(settings: Settings, area: Area, lsn: int) -> bool:
    """Return whether a beat with a greater LSN is staged, among the newest ones."""
    topic = clock.topic_of(settings, area)
    with connect(settings) as conn:
        ends = {
            item: end
            for item, end in watermarks(conn, area.drain).items()
            if item.topic == topic
        }
        if not ends:
            return False
        newest: FeedPartition = max(ends, key=lambda item: item.epoch)
        end = ends[newest]
        piece = Range(newest, max(end - _NEWEST_BEATS, 0), end)
        for one in messages.pieces(conn, [piece]):
            row = messages.select(
                conn, one, f"SELECT max(lsn) FROM ({clock.BEATS}) AS b"
            ).fetchone()
            if row and row[0] is not None and row[0] > lsn:
                return True
    return False


def _is_confirmed(settings: Settings, lsn: int) -> bool:
    """Return whether the slot has confirmed so much, where that can be asked."""
    dsn = settings.flights_primary_dsn.get_secret_value()
    if not dsn:
        return True
    try:
        with psycopg.connect(
            dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT
        ) as conn:
            row = conn.execute(
                "SELECT confirmed_flush_lsn - '0/0' >= %s FROM pg_replication_slots"
                " WHERE slot_name = %s",
                (lsn, settings.flights_slot),
            ).fetchone()
    except psycopg.Error as error:
        code = error.sqlstate or type(error).__name__
        log.warning("The primary (FLIGHTS_PRIMARY_DSN) can't be asked: %s.", code)
        return True
    return bool(row and row[0])

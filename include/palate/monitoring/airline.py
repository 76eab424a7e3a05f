"""The connector of the area flights, and its slot at the airline's primary.

A connector that stands still makes the marts late, and the airline's disk full. What is
asked of the primary are its catalogs and the connector's own heartbeat, no rows.
"""

import json
import logging
import time
import urllib.request
from http.client import HTTPException

import psycopg

from palate import incidents
from palate.counted import counted
from palate.database import Connection
from palate.incidents import Kind
from palate.settings import Settings
from palate.sources import catalog

log = logging.getLogger(__name__)

_AREA = "flights"
SECONDS_BETWEEN_CHECKS = 15.0
_SECONDS_TO_ANSWER = 3
_GUIDE = "See docs/flights-connector.md."
# What an incident may be about; each begins and ends by itself.
CONNECTOR, PRIMARY, SLOT, WAL, HEARTBEAT, PUBLICATION = (
    "connector",
    "primary",
    "slot",
    "wal",
    "heartbeat",
    "publication",
)
# A restart takes a while: these are told when they last.
_MAY_PASS = {CONNECTOR, PRIMARY, SLOT}


def is_on(settings: Settings) -> bool:
    """Return whether the area is on."""
    return _AREA in catalog.names_on(settings)


def tables() -> set[str]:
    """Return the tables that the area has topics of."""
    sources = catalog.load_area(_AREA).sources
    return {name.rpartition(".")[2] for one in sources for name in one.topics}


class AirlineWatch:
    """Notices what is wrong with the connector; not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; nothing is asked yet."""
        self._settings = settings
        self._check_from = 0.0
        self._since: dict[str, float] = {}

    def check(self, conn: Connection) -> None:
        """Ask Connect and the primary, where they are set, and keep the incidents."""
        now = time.monotonic()
        if now < self._check_from:
            return
        self._check_from = now + SECONDS_BETWEEN_CHECKS
        if not is_on(self._settings):
            return
        checked, found = self._probe()
        for subject in [one for one in self._since if one not in found]:
            del self._since[subject]
        lasting = {}
        for subject, (message, is_final) in found.items():
            since = self._since.setdefault(subject, now)
            limit = self._settings.palate_freshness_seconds
            if is_final or subject not in _MAY_PASS or now - since > limit:
                lasting[subject] = f"{message} {_GUIDE}"
        incidents.keep(conn, Kind.SOURCE, checked, lasting)

    def _probe(self) -> tuple[set[str], dict[str, tuple[str, bool]]]:
        """Return what was checked, and what is wrong and whether for good."""
        checked: set[str] = set()
        found: dict[str, tuple[str, bool]] = {}
        if self._settings.flights_connect_url:
            checked.add(CONNECTOR)
            found |= _connector(self._settings.flights_connect_url)
        primary = self._settings.flights_primary_dsn.get_secret_value()
        if primary:
            checked.add(PRIMARY)
            try:
                found |= _primary(primary, self._settings)
                checked |= {SLOT, WAL, HEARTBEAT, PUBLICATION}
            except psycopg.Error as error:
                code = error.sqlstate or type(error).__name__
                message = f"The airline's primary (FLIGHTS_PRIMARY_DSN): {code}."
                found[PRIMARY] = message, False
        return checked, found


def _connector(url: str) -> dict[str, tuple[str, bool]]:
    address = f"{url.rstrip('/')}/connectors/flights/status"
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS_TO_ANSWER) as response:
            said = json.load(response)
        states = {one["state"] for one in (said["connector"], *said["tasks"])}
    except (OSError, ValueError, KeyError, TypeError, HTTPException) as error:
        # Not all of its words: an address may have a login.
        why = f"{type(error).__name__} {getattr(error, 'reason', '')}".strip()
        return {
            CONNECTOR: (f"Connect (FLIGHTS_CONNECT_URL) has no answer: {why}.", False)
        }
    if "FAILED" in states:
        return {CONNECTOR: ("The connector has failed; no change is read.", True)}
    if states != {"RUNNING"} or not said["tasks"]:
        shown = ", ".join(sorted(states))
        return {CONNECTOR: (f"The connector does not run: {shown}.", False)}
    return {}


def _primary(dsn: str, settings: Settings) -> dict[str, tuple[str, bool]]:
    found: dict[str, tuple[str, bool]] = {}
    name = settings.flights_slot
    with psycopg.connect(
        dsn, autocommit=True, connect_timeout=_SECONDS_TO_ANSWER
    ) as conn:
        conn.execute(f"SET statement_timeout = '{_SECONDS_TO_ANSWER}s'")
        row = conn.execute(
            "SELECT active, wal_status, pg_current_wal_lsn() - restart_lsn"
            " FROM pg_replication_slots WHERE slot_name = %s",
            (name,),
        ).fetchone()
        beat = conn.execute(
            "SELECT extract(epoch FROM now() - beat_at)::float8"
            " FROM bookings.heartbeat ORDER BY beat_at DESC LIMIT 1"
        ).fetchone()
        published = {
            table
            for (table,) in conn.execute(
                "SELECT tablename FROM pg_publication_tables"
                " WHERE pubname = %s AND schemaname = 'bookings'",
                (name,),
            )
        }
    if row is None or row[1] == "lost":
        what = (
            "There is no slot" if row is None else "The primary has given up the slot"
        )
        found[SLOT] = f"{what} {name}: changes are lost.", True
    elif not row[0]:
        found[SLOT] = f"Nobody reads the slot {name}.", False
    if row and row[2] is not None and row[2] > settings.flights_wal_bytes:
        found[WAL] = (
            f"The slot {name} keeps {row[2] / 2**20:,.0f} MiB of WAL at the primary, "
            f"more than FLIGHTS_WAL_BYTES ({settings.flights_wal_bytes / 2**20:,.0f}).",
            False,
        )
    if beat is None or beat[0] > settings.flights_heartbeat_seconds:
        last = (
            "There is no heartbeat"
            if beat is None
            else f"Its last is {beat[0]:.0f} s old"
        )
        found[HEARTBEAT] = f"The connector's heart does not beat. {last}.", False
    missing = sorted(tables() - published)
    if missing:
        lacks = counted(len(missing), "table")
        found[PUBLICATION] = (
            f"The publication {name} lacks {lacks}: {', '.join(missing)}.",
            False,
        )
    return found

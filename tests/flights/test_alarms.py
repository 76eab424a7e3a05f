"""What is wrong with the connector is told once, and once when it is over."""

from collections.abc import Callable

import psycopg
import pytest

from deploy.local import connect
from palate.database import connect as warehouse_of
from palate.incidents import Kind, open_incidents
from palate.monitoring import airline
from palate.monitoring.airline import AirlineWatch
from palate.settings import Settings
from tests.flights.airline import Source, until

_ALL = {"connector", "primary", "slot", "wal", "heartbeat", "publication"}


@pytest.fixture
def settings(
    source: Source, warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Watch the connector with so little patience that nothing needs to last."""
    monkeypatch.setattr(airline, "is_on", lambda _: True)
    monkeypatch.setattr(airline, "SECONDS_BETWEEN_CHECKS", 0)
    env = source.stack.env()
    changed = {
        "flights_connect_url": env["FLIGHTS_CONNECT_URL"],
        "flights_primary_dsn": env["FLIGHTS_PRIMARY_DSN"],
        "palate_freshness_seconds": 0.01,
    }
    return Settings(**(warehouse.model_dump() | changed))


def test_well_connector_is_no_incident(settings: Settings) -> None:
    watch = AirlineWatch(settings)
    _until(settings, watch, lambda found: not found)


def test_stopped_connector_is_told_and_so_is_its_end(
    source: Source, settings: Settings
) -> None:
    settings = settings.model_copy(update={"flights_heartbeat_seconds": 8})
    watch = AirlineWatch(settings)
    source.stack.supervisor.stop(connect.NAME)
    try:
        found = _until(
            settings, watch, lambda f: {"connector", "slot", "heartbeat"} <= f.keys()
        )
        assert "has no answer" in found["connector"]
        assert "Nobody reads the slot palate_flights" in found["slot"]
    finally:
        source.stack.up_services()
    _until(settings, watch, lambda found: not found)
    with warehouse_of(settings) as conn:
        rows = conn.execute(
            "SELECT subject, count(*) FROM ops.incidents WHERE kind = 'source'"
            " GROUP BY subject ORDER BY subject"
        ).fetchall()
    assert rows == [("connector", 1), ("heartbeat", 1), ("slot", 1)]


@pytest.mark.parametrize(
    ("subject", "change", "says"),
    [
        ("slot", {"flights_slot": "none"}, "There is no slot none"),
        ("wal", {"flights_wal_bytes": 1}, "more than FLIGHTS_WAL_BYTES"),
        ("connector", {"flights_connect_url": "http://127.0.0.1:1"}, "has no answer"),
    ],
)
def test_each_is_told_by_itself(
    settings: Settings, subject: str, change: dict[str, object], says: str
) -> None:
    settings = settings.model_copy(update=change)
    found = _until(settings, AirlineWatch(settings), lambda f: subject in f)
    assert says in found[subject]
    assert "docs/flights-connector.md" in found[subject]


def test_table_that_is_not_published_is_told(
    source: Source, settings: Settings
) -> None:
    watch = AirlineWatch(settings)
    with source.application() as conn:
        conn.execute("ALTER PUBLICATION palate_flights DROP TABLE bookings.seats")
        try:
            found = _until(settings, watch, lambda f: "publication" in f)
            assert "lacks 1 table: seats" in found["publication"]
        finally:
            conn.execute("ALTER PUBLICATION palate_flights ADD TABLE bookings.seats")
    _until(settings, watch, lambda found: "publication" not in found)


def test_login_of_the_watch_reads_no_row_of_the_airline(source: Source) -> None:
    dsn = source.stack.env()["FLIGHTS_PRIMARY_DSN"]
    with (
        psycopg.connect(dsn) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("SELECT FROM bookings.tickets")


def _until(
    settings: Settings, watch: AirlineWatch, holds: Callable[[dict[str, str]], bool]
) -> dict[str, str]:
    """Let the watch look until something is so of the open incidents."""
    found: dict[str, str] = {}

    def done() -> bool:
        with warehouse_of(settings) as conn:
            watch.check(conn)
            found.clear()
            for one in open_incidents(conn):
                assert one.kind is Kind.SOURCE
                assert one.subject in _ALL
                found[one.subject] = one.message
        return holds(found)

    until(done, "the incidents")
    return found

"""After each fault the vault is what the source is; what is told is told once."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from kafka.admin import KafkaAdminClient

from deploy.flights import connector
from deploy.flights.source import TABLES
from deploy.local import airline, connect
from deploy.local.cluster import Cluster
from palate.errors import (
    ServiceUnavailableError,
    SettingsError,
    SourceDiffersError,
)
from palate.reconcile import arrived
from tests.flights.airline import Source, until
from tests.flights.loaded import Loaded
from tests.warehouses import MakeWarehouse

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def loaded(source: Source, make_warehouse: MakeWarehouse) -> Iterator[Loaded]:
    """Load all that has happened into a warehouse of its own, and compare it once."""
    with Loaded.open(source, make_warehouse) as found:
        # Earlier tests have left rows in the topics that nobody has seen to go.
        found.reconcile(must_heal=True, may_end_many=True)
        assert found.alarms() == []
        yield found


@pytest.mark.parametrize("part", [connect.NAME, airline.STANDBY])
def test_nothing_is_compared_while_a_part_is_down(
    source: Source, loaded: Loaded, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are on their way would else be differences."""
    monkeypatch.setattr(arrived, "_PATIENCE_SECONDS", 2)
    source.stack.supervisor.stop(part)
    try:
        with source.application() as conn:
            conn.execute("UPDATE bookings.airports SET timezone = timezone || '?'")
        if part == connect.NAME:
            source.wait_for_standby()
        for _ in range(2):
            with pytest.raises(ServiceUnavailableError):
                loaded.reconcile()
        assert loaded.alarms() == [("standby", False)]
    finally:
        source.stack.up_services()
    monkeypatch.undo()
    loaded.run()
    loaded.reconcile()
    assert loaded.alarms() == [("standby", True)]
    loaded.assert_equal()


def test_no_primary_is_asked(source: Source, loaded: Loaded) -> None:
    dsn = airline.superuser(source.stack.ports.airline, source.secrets, "demo")
    with (
        loaded.changed(flights_standby_dsn=dsn),
        pytest.raises(SettingsError, match="no standby"),
    ):
        loaded.reconcile()
    loaded.reconcile()
    assert loaded.alarms() == [("standby", True)]


def test_standby_that_was_made_anew_is_compared(source: Source, loaded: Loaded) -> None:
    stack = source.stack
    stack.supervisor.stop(airline.STANDBY)
    shutil.rmtree(Cluster(stack.var, airline.STANDBY).folder)
    source.happen(20, seed=41)
    stack.up_services()
    loaded.run()
    loaded.reconcile()
    assert loaded.alarms() == []
    loaded.assert_equal()


def test_standby_that_is_behind_is_no_difference(
    source: Source, loaded: Loaded
) -> None:
    with source.standby() as conn:
        conn.execute("SELECT pg_wal_replay_pause()")
    try:
        source.happen(30, seed=43)
        source.settle()
        loaded.run_without_the_standby()
        loaded.reconcile()
        assert loaded.alarms() == []
    finally:
        with source.standby() as conn:
            conn.execute("SELECT pg_wal_replay_resume()")
    loaded.reconcile()
    loaded.assert_equal()


def _renumber(source: Source) -> None:
    with source.application() as conn, conn.transaction():
        for old, new in (("1A", "TMP"), ("1B", "1A"), ("TMP", "1B")):
            conn.execute(
                "UPDATE bookings.seats SET seat_no = %s WHERE seat_no = %s", (new, old)
            )


def _truncate(source: Source) -> None:
    with source.application() as conn:
        conn.execute("TRUNCATE bookings.boarding_passes")
        conn.execute("INSERT INTO bookings.aircrafts VALUES ('TRU', '{}', 1)")


def _change_columns(source: Source) -> None:
    with source.application() as conn:
        conn.execute("ALTER TABLE bookings.tickets ADD COLUMN tier text DEFAULT 'x'")
        conn.execute("ALTER TABLE bookings.aircrafts ALTER COLUMN range TYPE bigint")
        conn.execute("UPDATE bookings.tickets SET passenger_name = 'TIER'")
        conn.execute("UPDATE bookings.aircrafts SET range = range + 1")
        conn.execute("ALTER TABLE bookings.tickets DROP COLUMN tier")
        conn.execute("ALTER TABLE bookings.aircrafts ALTER COLUMN range TYPE integer")


@pytest.mark.parametrize("fault", [_renumber, _truncate, _change_columns])
def test_what_the_airline_does_is_no_difference(
    source: Source, loaded: Loaded, fault: Callable[[Source], None]
) -> None:
    fault(source)
    loaded.run()
    loaded.reconcile()
    assert loaded.alarms() == []
    loaded.assert_equal()


def test_topics_deleted_before_they_were_read(source: Source, loaded: Loaded) -> None:
    stack = source.stack
    with source.application() as conn:
        conn.execute("UPDATE bookings.airports SET timezone = timezone || '#'")
    source.settle()
    stack.supervisor.stop(connect.NAME)
    bootstrap = stack.env()["KAFKA_BOOTSTRAP"]
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    names = [f"flights.bookings.{table}" for table in TABLES]
    admin.delete_topics(names)
    until(lambda: not {*names} & {*admin.list_topics()}, "the topics are gone")
    admin.close()
    stack.up_services()  # makes them anew
    assert {*names} <= {*connector.topics()}
    loaded.run()

    with pytest.raises(SourceDiffersError, match="airports"):
        loaded.reconcile()

    loaded.reconcile(must_heal=True)
    assert loaded.alarms() == [("comparison", True)]
    loaded.assert_equal()


def test_without_a_standby_a_snapshot_stays_unverified(
    source: Source, make_warehouse: MakeWarehouse
) -> None:
    # The first one may have come before there was a row to read.
    source.stack.supervisor.stop(connect.NAME)
    connect.offsets(source.stack.var).unlink()
    source.stack.up_services()
    with (
        Loaded.open(source, make_warehouse) as found,
        found.changed(flights_standby_dsn=""),
    ):
        found.reconcile()
        assert found.unverified() > 0
        assert found.rows("SELECT * FROM ops.comparisons") == []

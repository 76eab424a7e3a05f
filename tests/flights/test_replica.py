"""The standby is a replica: what holds for one is checked, not shown."""

import psycopg
import pytest

from deploy.flights import source as names
from deploy.local import airline
from tests.flights.airline import Source, until


def test_point_26_is_in_recovery_and_streams_through_its_slot(source: Source) -> None:
    with source.standby() as conn:
        assert conn.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    until(lambda: _streams(source), "the standby streams")
    with source.primary() as conn:
        slots = conn.execute(
            "SELECT slot_name, slot_type, active FROM pg_replication_slots ORDER BY 1"
        ).fetchall()
    assert slots == [
        (names.STANDBY_SLOT, "physical", True),
        (names.SLOT, "logical", True),
    ]


def test_point_26_refuses_a_write_even_of_its_administrator(source: Source) -> None:
    with source.standby() as conn, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        conn.execute("DELETE FROM bookings.boarding_passes")


def test_point_26_replayed_position_reaches_the_primarys_and_tables_are_equal(
    source: Source,
) -> None:
    source.happen(60)
    source.wait_for_standby()
    _equal(source)


def test_point_26_reader_may_read_there_and_nowhere_else(source: Source) -> None:
    with source.reader() as conn:
        assert conn.execute("SELECT count(*) > 0 FROM bookings.tickets").fetchone() == (
            True,
        )
        assert conn.execute("SELECT pg_last_wal_replay_lsn()").fetchone() != (None,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT FROM bookings.heartbeat")
    dsn = source.stack.env()["FLIGHTS_STANDBY_DSN"].replace(
        f":{source.stack.ports.airline_standby}/", f":{source.stack.ports.airline}/"
    )
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(dsn)


def test_point_26_logical_slot_is_refused_there(source: Source) -> None:
    """Hence the connector is at the primary."""
    with (
        source.standby() as conn,
        pytest.raises(psycopg.Error, match="while in recovery"),
    ):
        conn.execute("SELECT pg_create_logical_replication_slot('x', 'pgoutput')")


@pytest.mark.slow
@pytest.mark.parametrize("part", [airline.STANDBY, airline.PRIMARY])
def test_point_26_catches_up_after_a_kill(source: Source, part: str) -> None:
    source.kill(part)
    source.happen(20, seed=11)
    until(lambda: _streams(source), "the standby streams again")
    source.wait_for_standby()
    _equal(source)


def _streams(source: Source) -> bool:
    with source.primary() as conn:
        row = conn.execute(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s"
            " AND state = 'streaming'",
            (airline.STANDBY,),
        ).fetchone()
    return row == (1,)


def _equal(source: Source) -> None:
    with source.primary() as primary, source.standby() as standby:
        wanted, found = source.tables(primary), source.tables(standby)
    for table in names.TABLES:
        assert wanted[table] == found[table], table
    assert wanted["tickets"]

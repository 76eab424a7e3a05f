"""The slot doesn't stand still while nothing that it is about is written."""

import pytest

from deploy.flights.source import SLOT
from tests.flights.airline import Connection, Source, until

_MIB = 2**20
_CHUNKS = 4
_CHUNK_ROWS = 25 * 1024  # of a KiB each


@pytest.mark.slow
def test_point_27_wal_of_the_slot_stays_bounded(
    source: Source,
) -> None:
    with source.application() as conn, source.primary() as admin:
        conn.execute("CREATE TABLE bookings.other (id integer, text text)")
        try:
            begin = _position(admin)
            for _ in range(_CHUNKS):
                conn.execute(
                    "INSERT INTO bookings.other SELECT n, repeat(md5(n::text), 32)"
                    " FROM generate_series(1, %s) AS n",
                    (_CHUNK_ROWS,),
                )
                until(lambda: _kept(admin) < 40 * _MIB, "the slot follows")
            assert _position(admin) - begin > 100 * _MIB
        finally:
            conn.execute("DROP TABLE bookings.other")


def _position(conn: Connection) -> int:
    (found,) = conn.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone() or (0,)
    return int(found)


def _kept(conn: Connection) -> int:
    (found,) = conn.execute(
        "SELECT pg_current_wal_lsn() - restart_lsn FROM pg_replication_slots"
        " WHERE slot_name = %s",
        (SLOT,),
    ).fetchone() or (0,)
    return int(found)

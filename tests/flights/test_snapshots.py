"""A new snapshot: what it tells, and what it can't tell.

What was deleted while nobody listened is in no message; whoever loads the topics must
compare with the standby. Each test ends by truncating all, so that the next one begins
with topics that tell all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from deploy.flights.source import TABLES
from deploy.local import connect
from tests.flights.airline import Source, until

pytestmark = pytest.mark.slow

_PLANE = "INSERT INTO bookings.aircrafts VALUES ('GAP', '{}', 1)"
_SEATS = "INSERT INTO bookings.seats VALUES ('GAP', '1A', 'Economy')"
_GONE = "DELETE FROM bookings.aircrafts WHERE aircraft_code = 'GAP'"


def _lose_offsets(source: Source) -> None:
    connect.offsets(source.stack.var).unlink()


def _lose_slot(source: Source) -> None:
    source.drop_slot()


@pytest.mark.parametrize("lose", [_lose_offsets, _lose_slot])
def test_all_comes_but_what_was_deleted_meanwhile(
    source: Source, lose: Callable[[Source], None]
) -> None:
    with source.application() as conn:
        conn.execute(_PLANE)
        conn.execute(_SEATS)
    source.equal()
    with _stopped(source):
        lose(source)
        source.happen(20, seed=13)
        with source.application() as conn:
            conn.execute(_GONE)
            conn.execute("TRUNCATE bookings.boarding_passes")

    found = source.differences()

    for only_replayed, only_there, differing in found.values():
        assert only_replayed  # gone while nobody listened: in no message
        assert not only_there
        assert not differing
    assert ("GAP",) in found["aircrafts"][0]
    assert ("GAP", "1A") in found["seats"][0]
    _begin_anew(source)
    source.equal()


def test_transaction_left_open_during_the_snapshot_and_committed_after(
    source: Source,
) -> None:
    """The new slot waits for it; the snapshot's LSN is greater than that of its change.

    That it waits is seen here; so the connector can't answer until the commit.
    """
    source.equal()
    with source.application() as conn, _stopped(source):
        _lose_offsets(source)
        _lose_slot(source)
        conn.execute("BEGIN")
        conn.execute("UPDATE bookings.aircrafts SET range = range + 1")
        source.stack.supervisor.start_group(connect.NAME)
        until(source.slot_waits, "the new slot waits for the transaction")
        with source.application() as other:
            other.execute("UPDATE bookings.seats SET fare_conditions = 'Comfort'")
        conn.execute("COMMIT")
    source.equal()


@contextmanager
def _stopped(source: Source) -> Iterator[None]:
    """Stop the connector, and start it again after the body."""
    source.stack.supervisor.stop(connect.NAME)
    try:
        yield
    finally:
        source.stack.up_services()


def _begin_anew(source: Source) -> None:
    """End each row while the connector listens."""
    tables = ", ".join(f"bookings.{table}" for table in TABLES)
    with source.application() as conn:
        conn.execute(f"TRUNCATE {tables}")
    source.fill()

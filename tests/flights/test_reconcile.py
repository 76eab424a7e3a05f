"""Source and vault are one once they were compared, whatever was lost meanwhile."""

from collections.abc import Iterator

import pytest

from deploy.local import connect
from palate.errors import SourceDiffersError
from palate.reconcile import looks
from tests.flights.airline import Source, until
from tests.flights.loaded import Loaded
from tests.warehouses import MakeWarehouse

pytestmark = pytest.mark.slow

_MANY = 300


@pytest.fixture
def loaded(source: Source, make_warehouse: MakeWarehouse) -> Iterator[Loaded]:
    """Load all that has happened into a warehouse of its own, and compare it once."""
    with Loaded.open(source, make_warehouse) as found:
        # Earlier tests have left rows in the topics that nobody has seen to go.
        found.reconcile(must_heal=True, may_end_many=True)
        yield found


def test_comparison_of_what_is_equal_finds_nothing(
    source: Source, loaded: Loaded
) -> None:
    source.happen(200, seed=23)
    loaded.run()
    loaded.reconcile()
    loaded.assert_equal()
    assert loaded.alarms() == []


@pytest.mark.long
def test_point_21_offsets_are_lost_while_nobody_listens(
    source: Source, loaded: Loaded
) -> None:
    _nobody_listens(source, loaded, is_slot_lost=False)


@pytest.mark.long
def test_point_22_slot_is_lost_while_nobody_listens(
    source: Source, loaded: Loaded
) -> None:
    _nobody_listens(source, loaded, is_slot_lost=True)


def _nobody_listens(source: Source, loaded: Loaded, *, is_slot_lost: bool) -> None:
    """Rows inserted, changed, deleted, a table emptied; then a table lost many."""
    with source.application() as conn:
        conn.execute("INSERT INTO bookings.aircrafts VALUES ('GAP', '{}', 1)")
        conn.execute("INSERT INTO bookings.seats VALUES ('GAP', '1A', 'Economy')")
        conn.execute(
            "INSERT INTO bookings.bookings SELECT 'Y' || lpad(n::text, 5, '0'), now(),"
            " n FROM generate_series(1, %s) AS n",
            (_MANY,),
        )
    loaded.run()
    source.stack.supervisor.stop(connect.NAME)
    connect.offsets(source.stack.var).unlink()
    if is_slot_lost:
        source.drop_slot()
    source.happen(20, seed=29)
    with source.application() as conn:
        conn.execute("DELETE FROM bookings.aircrafts WHERE aircraft_code = 'GAP'")
        conn.execute("UPDATE bookings.airports SET timezone = 'Changed'")
        conn.execute("TRUNCATE bookings.boarding_passes")
        conn.execute("DELETE FROM bookings.bookings WHERE book_ref LIKE 'Y_____'")
    source.stack.up_services()
    source.settle()
    loaded.run()
    assert loaded.unverified() == 1
    living = loaded.number("bookings")

    with pytest.raises(SourceDiffersError, match=f"at once .* {_MANY} of bookings"):
        loaded.reconcile()

    assert loaded.number("bookings") == living
    assert loaded.number("boarding_passes") == 0
    assert loaded.unverified() == 1
    assert [subject for subject, _ in loaded.alarms()] == ["gone"]
    with pytest.raises(SourceDiffersError):
        loaded.reconcile()
    loaded.reconcile(may_end_many=True)
    loaded.assert_equal()
    assert loaded.alarms() == [("gone", True)], "told once, and once that it is over"
    assert loaded.unverified() == 0
    history = loaded.rows(
        "SELECT op, is_deleted FROM dds.v_seat_history"
        " WHERE aircraft_code = 'GAP' ORDER BY valid_from"
    )
    assert history[0] == ("c", False)
    assert history[-1] == ("x", True)


@pytest.mark.long
def test_point_20_killed_in_a_large_transaction(source: Source, loaded: Loaded) -> None:
    """What came since its offsets were kept is sent again, and counts once."""
    topic = "flights.bookings.bookings"
    before = len(source.messages(topic))
    with source.application() as conn:
        conn.execute(
            "INSERT INTO bookings.bookings SELECT 'Z' || lpad(n::text, 5, '0'), now(),"
            " n FROM generate_series(1, 10000) AS n"
        )
    until(
        lambda: len(source.messages(topic)) > before + 1000,
        "the transaction is under way",
    )
    source.kill(connect.NAME)
    loaded.run()
    loaded.reconcile()
    loaded.assert_equal()
    assert loaded.alarms() == []
    doubled = loaded.rows(
        "SELECT h_booking_pk FROM dds.s_booking WHERE op = 'c'"
        " GROUP BY h_booking_pk, lsn HAVING count(*) > 1"
    )
    assert doubled == []
    with source.application() as conn:
        conn.execute("DELETE FROM bookings.bookings WHERE book_ref LIKE 'Z_____'")


@pytest.mark.long
def test_point_23_transaction_left_open_during_the_snapshot(
    source: Source, loaded: Loaded
) -> None:
    """The snapshot's LSN is greater than that of the change that is committed later."""
    with source.application() as conn:
        source.stack.supervisor.stop(connect.NAME)
        try:
            connect.offsets(source.stack.var).unlink()
            source.drop_slot()
            conn.execute("BEGIN")
            conn.execute("UPDATE bookings.aircrafts SET range = range + 1")
            source.stack.supervisor.start_group(connect.NAME)
            until(source.slot_waits, "the new slot waits for the transaction")
            with source.application() as other:
                other.execute("UPDATE bookings.seats SET fare_conditions = 'Comfort'")
            conn.execute("COMMIT")
        finally:
            source.stack.up_services()
    loaded.run()
    assert loaded.unverified() == 1
    loaded.reconcile()
    loaded.assert_equal()
    assert loaded.unverified() == 0


def test_difference_without_a_snapshot_is_an_alarm_until_it_is_healed(
    source: Source, loaded: Loaded
) -> None:
    loaded.conn.execute("ALTER TABLE dds.s_airport DISABLE TRIGGER USER")
    loaded.conn.execute("UPDATE dds.s_airport SET timezone = 'Wrong'")
    for _ in range(2):
        with pytest.raises(SourceDiffersError, match="palate flights heal"):
            loaded.reconcile()
    assert loaded.alarms() == [("comparison", False)]
    loaded.reconcile(must_heal=True)
    assert loaded.alarms() == [("comparison", True)]
    loaded.assert_equal()


def test_large_value_follows_a_changed_key(source: Source, loaded: Loaded) -> None:
    """It isn't sent with the new key; the comparison finds nothing to bring."""
    source.rename_ticket_with_a_large_value()
    loaded.run()
    loaded.reconcile()
    loaded.assert_equal()


def test_transaction_that_ends_between_reading_and_loading_is_no_difference(
    source: Source, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has an LSN below that of the look, which has not seen it: hence the second."""
    with source.application() as conn:
        conn.execute("BEGIN")
        conn.execute("UPDATE bookings.airports SET timezone = timezone || '!'")
        with source.application() as other:
            other.execute("UPDATE bookings.seats SET fare_conditions = 'Comfort'")
        source.wait_for_standby()
        wait, looked = looks.arrived.wait, []

        def commit_first(*args: object) -> None:
            if not looked:
                conn.execute("COMMIT")
                source.settle()
            looked.append(args)
            wait(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(looks.arrived, "wait", commit_first)
        loaded.reconcile()
    assert len(looked) == 2
    assert loaded.alarms() == []
    loaded.assert_equal()

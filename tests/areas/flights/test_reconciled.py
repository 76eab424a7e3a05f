"""Rows as a comparison with the standby has read them, and a source that went back."""

from dataclasses import replace

import pytest

from palate.checks.run import run_checks
from palate.errors import NotFoundError, SourceHeldError
from palate.incidents import Kind, open_incidents
from palate.reconcile import accept
from tests.areas.flights.airline import FLIGHTS, Airline
from tests.areas.flights.changes import PLACEHOLDER, Stream
from tests.integration.staged import caller

ONE = ("0005432000001",)


def test_row_that_is_gone_ends(airline: Airline, stream: Stream) -> None:
    stream.add("bookings", "r", 100)
    stream.compared("bookings", 200, is_gone=True)
    airline.take_all(stream)
    assert airline.living("bookings") == {}
    assert [p.op for p in airline.history("bookings")[("A1B2C3",)]] == ["r", "x"]


def test_row_that_was_never_sent_begins(airline: Airline, stream: Stream) -> None:
    stream.compared("tickets", 200)
    airline.take_all(stream)
    assert set(airline.living("tickets")) == {ONE}
    assert set(airline.presentation()) == {"8149 604011"}


def test_change_with_a_greater_lsn_is_newer(airline: Airline, stream: Stream) -> None:
    stream.add("aircrafts", "c", 100, range=1)
    stream.compared("aircrafts", 200, range=2)
    stream.add("aircrafts", "u", 210, range=3)
    airline.take_all(stream)
    assert airline.living("aircrafts")[("320",)]["range"] == 3


def test_change_behind_its_place_is_newer(airline: Airline, stream: Stream) -> None:
    """A transaction that began before the standby's position and ended after it."""
    stream.add("aircrafts", "c", 100, range=1)
    stream.compared("aircrafts", 200, range=2)
    stream.add("aircrafts", "u", 150, range=3)
    airline.take_all(stream)
    assert airline.living("aircrafts")[("320",)]["range"] == 3


def test_change_before_its_place_is_older(airline: Airline, stream: Stream) -> None:
    stream.add("aircrafts", "c", 100, range=1)
    stream.add("aircrafts", "u", 150, range=3)
    stream.compared("aircrafts", 200, range=2)
    airline.take_all(stream)
    assert airline.living("aircrafts")[("320",)]["range"] == 2


def test_missing_value_is_brought(airline: Airline, stream: Stream) -> None:
    stream.add("tickets", "c", 100, contact_data=PLACEHOLDER)
    stream.compared("tickets", 200, contact_data='{"phone": "1"}')
    airline.take_all(stream)
    assert airline.living("tickets")[ONE]["contact_data"] == '{"phone": "1"}'


def test_value_from_before_the_end_of_a_row_does_not_come_back(
    airline: Airline, stream: Stream
) -> None:
    stream.add("tickets", "c", 100)
    stream.compared("tickets", 200, is_gone=True)
    stream.add("tickets", "u", 210, contact_data=PLACEHOLDER)
    airline.take_all(stream)
    assert airline.living("tickets")[ONE]["contact_data"] is None


def test_rules_hold_for_it_too(airline: Airline, stream: Stream) -> None:
    stream.compared("tickets", 200, passenger_name="x" * 100_001)
    stream.compared("tickets", 200, ticket_no="2")
    airline.take(stream.records)
    assert list(airline.refused().values()) == ["value_out_of_range"]
    assert set(airline.living("tickets")) == {("2",)}


def test_topic_may_not_say_so(airline: Airline, stream: Stream) -> None:
    sent = stream.compared("tickets", 200).record()
    airline.take([replace(sent, topic="flights.bookings.tickets")])
    assert list(airline.refused().values()) == ["not_a_change"]


def test_snapshot_is_unverified_until_a_comparison(
    airline: Airline, stream: Stream
) -> None:
    stream.add("seats", "r", None)  # an incremental one has no LSN
    airline.take(stream.records)
    assert _unverified(airline) == 0
    begin = len(stream.records)
    stream.add("bookings", "r", 100)
    stream.add("tickets", "r", 100)
    airline.take(stream.records[begin:])
    assert _unverified(airline) == 1
    airline.conn.execute(
        "INSERT INTO ops.comparisons"
        " (area, generation, lsn, began_dt, is_equal, counts) VALUES"
        " ('flights', 0, 99, now(), true, '{}'),"
        " ('flights', 0, 100, now(), false, '{}')"
    )
    assert _unverified(airline) == 1
    airline.conn.execute("UPDATE ops.comparisons SET is_equal = true")
    assert _unverified(airline) == 0


def test_repeated_beats_are_no_alarm(airline: Airline, stream: Stream) -> None:
    beats = [stream.add("heartbeat", "u", lsn) for lsn in (100, 110, 120)]
    for beat in beats[1:]:
        stream.again(beat)
    stream.add("heartbeat", "r", 50)  # a snapshot's row is no change
    stream.add("heartbeat", "u", 130)
    for number, record in enumerate(stream.records):
        airline.take([record], run_id=str(number // 2))
    assert open_incidents(airline.conn) == []


def test_lower_beat_holds_the_source(airline: Airline, stream: Stream) -> None:
    stream.add("heartbeat", "u", 100)
    stream.add("bookings", "c", 101)
    stream.add("heartbeat", "u", 110)
    airline.take(stream.records)
    begin = len(stream.records)
    stream.add("heartbeat", "u", 105)
    stream.add("bookings", "u", 106, total_amount="1.00")
    airline.stage(stream.records[begin:])
    for _ in range(2):
        with pytest.raises(SourceHeldError, match="went back from 110 to 105"):
            airline.load()
    assert airline.living("bookings")[("A1B2C3",)]["total_amount"] == 400
    (told,) = open_incidents(airline.conn)
    assert (told.kind, told.subject) == (Kind.SOURCE, "lsn")


def test_accepted_source_outranks_all_before(airline: Airline, stream: Stream) -> None:
    stream.add("heartbeat", "u", 100)
    stream.add("bookings", "c", 101)
    stream.add("heartbeat", "u", 110)
    airline.take(stream.records)
    begin = len(stream.records)
    # The first has waited, and is of the cluster before.
    stream.add("bookings", "u", 109, total_amount="2.00")
    stream.add("heartbeat", "u", 50, second=200)
    stream.add("bookings", "r", 40, second=190, total_amount="3.00")
    stream.add("bookings", "u", 51, second=201, total_amount="4.00")
    airline.stage(stream.records[begin:])
    with pytest.raises(SourceHeldError):
        airline.load()
    me = caller("accept")
    assert accept.accept_source(airline.settings, FLIGHTS, me, "me", "restored") == 1
    with pytest.raises(NotFoundError):
        accept.accept_source(airline.settings, FLIGHTS, me, "me", "restored")
    airline.load()
    assert open_incidents(airline.conn) == []
    airline.assert_true(
        replace(change, generation=int(change.second >= 190))
        for change in stream.changes
    )
    assert airline.living("bookings")[("A1B2C3",)]["total_amount"] == 4
    ops = [p.op for p in airline.history("bookings")[("A1B2C3",)]]
    assert ops == ["c", "u", "r", "u"]


def _unverified(airline: Airline) -> int:
    (found,) = run_checks(
        airline.settings, caller("checks"), ["flights/snapshots_are_verified"]
    ).results
    return found.found

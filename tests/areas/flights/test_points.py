"""The points of acceptance about messages, one test or more for each.

Each is named after its number. Whatever a test says itself, all views, hubs, links and
the mart are compared with the oracle.
"""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid5

import pytest

from palate.checks.run import run_checks
from palate.names import HUB_KEY_NAMESPACE
from tests.areas.flights import oracle
from tests.areas.flights.airline import Airline
from tests.areas.flights.captured import captured
from tests.areas.flights.changes import PLACEHOLDER, ROWS, START, Stream
from tests.integration.staged import caller

ONE = ("0005432000001",)
COUNTS = (
    "SELECT (SELECT count(*) FROM dds.s_aircraft), (SELECT count(*) FROM dds.s_ticket),"
    " (SELECT count(*) FROM dds.h_ticket), (SELECT count(*) FROM dds.truncations)"
)


def _ops(airline: Airline, table: str, *key: Any) -> list[str]:
    return [period.op for period in airline.history(table)[key]]


def test_point_01_captured_messages_are_accepted(airline: Airline) -> None:
    records, changes = captured()
    airline.take(records)
    assert airline.refused() == {}
    airline.assert_true(changes)
    assert set(airline.living("seats")) == {
        ("320", "1A"), ("320", "7D"), ("SU9", "1A"), ("SU9", "1B"),
    }  # fmt: skip
    assert airline.living("bookings")[("D4E5F6",)]["total_amount"] == Decimal("9000.50")
    assert airline.living("tickets")[("0005432000002",)]["passenger_name"] == (
        "IVAN PROBNY-SR"
    )
    assert airline.living("boarding_passes") == {}
    assert airline.living("flights")[(1,)]["status"] == "Departed"
    odd = airline.rows("SELECT table_name, column_name, what FROM dds.odd_columns")
    assert odd == [("tickets", "loyalty_no", "unknown")]


def test_point_02_change_back_and_forth_is_five_periods(
    airline: Airline, stream: Stream
) -> None:
    for code in ("773", "SU9"):
        stream.add("aircrafts", "r", 100, aircraft_code=code)
    stream.add("aircrafts", "c", 110)
    stream.add("aircrafts", "u", 120, range=1)
    stream.add("aircrafts", "u", 130, range=2)
    stream.add("aircrafts", "d", 140)
    stream.add("aircrafts", "c", 150, range=3)
    airline.take_all(stream)
    assert _ops(airline, "aircrafts", "320") == ["c", "u", "u", "d", "c"]
    assert airline.living("aircrafts")[("320",)]["range"] == 3


def test_point_03_repeated_stretch_adds_nothing(
    airline: Airline, stream: Stream
) -> None:
    sent = [stream.add("aircrafts", "c", 110)]
    sent += [stream.add("aircrafts", "u", 110 + n, range=n) for n in range(1, 5)]
    sent += [stream.add("tickets", "c", 120), stream.add("tickets", "t", 121)]
    airline.take(stream.records)
    counts, checksum = airline.rows(COUNTS), airline.checksum()
    begin = len(stream.records)
    for change in (*sent, *reversed(sent)):
        stream.again(change)
    airline.take(stream.records[begin:])
    assert airline.rows(COUNTS) == counts
    assert airline.checksum() == checksum
    airline.assert_true(stream.changes)


def test_point_04_position_decides_about_a_read(
    airline: Airline, stream: Stream
) -> None:
    stream.add("aircrafts", "r", 200, range=1)
    stream.add("aircrafts", "u", 150, range=2)
    stream.add("aircrafts", "u", 150, range=3, aircraft_code="SU9")
    stream.add("aircrafts", "r", 200, range=4, aircraft_code="SU9")
    airline.take_all(stream)
    living = airline.living("aircrafts")
    assert (living[("320",)]["range"], living[("SU9",)]["range"]) == (2, 4)


def test_point_05_change_with_the_lsn_of_a_read_is_newer(
    airline: Airline, stream: Stream
) -> None:
    stream.add("aircrafts", "r", 100, range=1)
    stream.add("aircrafts", "u", 100, range=2)
    stream.add("aircrafts", "u", 100, range=3, aircraft_code="SU9", partition=1)
    stream.add("aircrafts", "r", 100, range=4, aircraft_code="SU9", partition=0)
    airline.take_all(stream)
    living = airline.living("aircrafts")
    assert (living[("320",)]["range"], living[("SU9",)]["range"]) == (2, 3)


def test_point_06_interleaved_transactions(airline: Airline, stream: Stream) -> None:
    stream.add("aircrafts", "u", 73_012_768, second=1, range=1, aircraft_code="SU9")
    stream.add("aircrafts", "u", 73_012_624, second=2, range=2)
    stream.add("aircrafts", "u", 73_012_700, second=3, range=3, aircraft_code="SU9")
    airline.take_all(stream)
    living = airline.living("aircrafts")
    assert (living[("320",)]["range"], living[("SU9",)]["range"]) == (2, 1)


def test_point_07_rows_with_one_lsn(airline: Airline, stream: Stream) -> None:
    for seat in ("1A", "1B", "1C"):
        stream.add("seats", "c", 100, seat_no=seat)
    airline.take_all(stream)
    assert len(airline.living("seats")) == 3


def test_point_08_changed_key_ends_one_row_and_begins_another(
    airline: Airline, stream: Stream
) -> None:
    old = {"ticket_no": "0005432000001", "flight_id": 1}
    new = old | {"flight_id": 2}
    stream.add("ticket_flights", "c", 100)
    stream.add("ticket_flights", "d", 110, renamed=new)
    stream.add("ticket_flights", "c", 110, renamed=old, flight_id=2)
    airline.take_all(stream)
    assert set(airline.living("ticket_flights")) == {(*ONE, 2)}
    assert airline.rows(
        "SELECT op, renamed_to, renamed_from FROM dds.s_ticket_flight"
        " WHERE lsn = 110 ORDER BY op"
    ) == [("c", None, old), ("d", new, None)]
    pairs = {
        flight: until
        for _, flight, _, until in airline.rows(
            "SELECT * FROM dds.v_ticket_flight_effective"
        )
    }
    assert pairs == {1: START + timedelta(seconds=110), 2: None}


def test_point_09_row_deleted_and_inserted_in_one_transaction(
    airline: Airline, stream: Stream
) -> None:
    stream.add("ticket_flights", "c", 100)
    stream.add("ticket_flights", "d", 110, second=110)
    stream.add("ticket_flights", "c", 112, second=110, amount="5000.00")
    airline.take_all(stream)
    assert airline.living("ticket_flights")[(*ONE, 1)]["amount"] == 5000
    gone = [p for p in airline.history("ticket_flights")[(*ONE, 1)] if p.op == "d"]
    assert [p.valid_from for p in gone] == [p.valid_to for p in gone]
    assert len(gone) == 1


@pytest.mark.parametrize("partition", [0, 1])
@pytest.mark.parametrize("is_last", [False, True])
def test_point_10_truncation_ends_what_was_there_before(
    airline: Airline, stream: Stream, partition: int, is_last: bool
) -> None:
    for number in range(1, 4):
        stream.add("flights", "c", 90 + number, flight_id=number)
    stream.add("boarding_passes", "c", 100, flight_id=1)
    if not is_last:
        stream.add("boarding_passes", "t", 110, partition=partition)
    stream.add("boarding_passes", "c", 120, flight_id=2)
    if is_last:
        stream.add("boarding_passes", "t", 110, partition=partition)
    airline.take_all(stream)
    assert set(airline.living("boarding_passes")) == {(*ONE, 2)}


def test_point_10_truncation_reaches_the_mart(airline: Airline, stream: Stream) -> None:
    stream.add("tickets", "c", 100)
    stream.add("tickets", "c", 101, ticket_no="0005432000002", passenger_id="2")
    airline.take(stream.records)
    assert len(airline.presentation()) == 2
    begin = len(stream.records)
    stream.add("tickets", "t", 110)
    airline.take(stream.records[begin:])
    assert airline.presentation() == {}
    airline.assert_true(stream.changes)


def test_point_11_placeholder_is_the_value_of_the_version_before(
    airline: Airline, stream: Stream
) -> None:
    stream.add("tickets", "u", 120, contact_data=PLACEHOLDER, passenger_name="NEW")
    stream.add("tickets", "d", 130, ticket_no="0005432000002")
    stream.add(
        "tickets", "u", 140, ticket_no="0005432000002", passenger_name=PLACEHOLDER
    )
    airline.take(stream.records)
    airline.assert_true(stream.changes)
    assert airline.living("tickets")[ONE]["contact_data"] is None
    assert _unknown(airline) == 2

    begin = len(stream.records)
    stream.add("tickets", "c", 110, contact_data='{"phone": "+7 late"}')
    stream.add("tickets", "c", 110, ticket_no="0005432000002", passenger_name="GONE")
    airline.take(stream.records[begin:])
    airline.assert_true(stream.changes)
    assert airline.living("tickets")[ONE]["contact_data"] == '{"phone": "+7 late"}'
    assert airline.living("tickets")[("0005432000002",)]["passenger_name"] is None


@pytest.mark.parametrize("is_late", [False, True])
def test_point_11_large_value_follows_a_changed_key(
    airline: Airline, stream: Stream, is_late: bool
) -> None:
    """With a changed key a large value isn't sent: it stands under the old key."""
    numbers = ["0005432000001", "0005432000002", "0005432000003"]
    large = {"contact_data": '{"phone": "+7 large"}'}
    if not is_late:
        stream.add("tickets", "c", 100, **large)
    for lsn, old, new in ((110, *numbers[:2]), (120, *numbers[1:])):
        stream.add("tickets", "d", lsn, ticket_no=old, renamed={"ticket_no": new})
        stream.add(
            "tickets", "c", lsn, ticket_no=new, renamed={"ticket_no": old},
            contact_data=PLACEHOLDER, passenger_name=PLACEHOLDER,
        )  # fmt: skip
    stream.add("tickets", "u", 130, ticket_no=numbers[2], contact_data=PLACEHOLDER)
    airline.take(stream.records)
    if is_late:
        assert airline.living("tickets")[(numbers[2],)]["contact_data"] is None
        assert _unknown(airline) == 1
        begin = len(stream.records)
        stream.add("tickets", "c", 100, **large)
        airline.take(stream.records[begin:])
    airline.assert_true(stream.changes)
    row = airline.living("tickets")[(numbers[2],)]
    assert row["contact_data"] == '{"phone": "+7 large"}'
    assert airline.presentation()["8149 604011"][0] == "ELENA TESTOVA"
    assert _unknown(airline) == 0


def test_point_11_value_of_another_row_is_not_taken(
    airline: Airline, stream: Stream
) -> None:
    """Keys that name each other in a circle, and one that names a row of another."""
    one, two = "0005432000001", "0005432000002"
    for old, new in ((one, two), (two, one)):
        for op, mine, other in (("d", old, new), ("c", new, old)):
            stream.add(
                "tickets", op, 110, ticket_no=mine, renamed={"ticket_no": other},
                contact_data=PLACEHOLDER,
            )  # fmt: skip
    stream.add("tickets", "c", 100, ticket_no="0005432000003")
    stream.add("tickets", "d", 110, ticket_no="0005432000003")
    stream.add(
        "tickets", "c", 110, ticket_no="0005432000004", contact_data=PLACEHOLDER,
        renamed={"ticket_no": "0005432000003"},
    )  # fmt: skip
    airline.take_all(stream)
    assert airline.living("tickets")[("0005432000004",)]["contact_data"] is None


def test_point_12_update_that_changes_nothing_adds_no_period(
    airline: Airline, stream: Stream
) -> None:
    for number, op in enumerate("cuu"):
        stream.add("flights", op, 100 + number)
    stream.add("flights", "u", 110, status="Delayed")
    airline.take_all(stream)
    assert _ops(airline, "flights", 1) == ["c", "u"]


def test_point_13_incremental_read_goes_by_its_position(
    airline: Airline, stream: Stream
) -> None:
    stream.add("aircrafts", "u", 100, range=1)
    stream.add("aircrafts", "r", None, second=101, range=2)
    stream.add("aircrafts", "r", None, second=102, range=3, aircraft_code="SU9")
    stream.add("aircrafts", "u", 100, range=4, aircraft_code="SU9")
    airline.take_all(stream)
    living = airline.living("aircrafts")
    assert (living[("320",)]["range"], living[("SU9",)]["range"]) == (2, 4)


def test_point_14_rows_may_come_before_what_they_name(
    airline: Airline, stream: Stream
) -> None:
    late = [
        stream.add("bookings", "c", 100),
        stream.add("tickets", "c", 101),
        stream.add("flights", "c", 90, status="Arrived"),
        stream.add("airports", "c", 80),
        stream.add("ticket_flights", "c", 102),
        stream.add("boarding_passes", "c", 103),
    ]
    for change in reversed(late):
        airline.take([change.record()])
    airline.assert_true(stream.changes)
    assert airline.presentation() == {
        "8149 604011": (
            "ELENA TESTOVA", 1, 1, Decimal("200.00"), "SVO", "Sheremetyevo",
        ),
    }  # fmt: skip


def test_point_14_newer_name_of_an_airport_is_in_the_mart(
    airline: Airline, stream: Stream
) -> None:
    for table in ("bookings", "tickets", "flights", "airports", "ticket_flights"):
        stream.add(table, "c", 100)
    airline.take(stream.records)
    for number, name in enumerate(['{"ru": "Ш", "de": "S"}', '"Plain"', "{}"]):
        begin = len(stream.records)
        stream.add("airports", "u", 110 + number, airport_name=name)
        airline.take(stream.records[begin:])
        airline.assert_true(stream.changes)
    assert airline.presentation()["8149 604011"][-2:] == ("SVO", "SVO")


def test_point_16_added_and_dropped_columns_are_told(
    airline: Airline, stream: Stream
) -> None:
    added = stream.add("tickets", "c", 100, loyalty_no="7", tier="gold")
    dropped = {k: v for k, v in added.row.items() if k not in ("contact_data", "tier")}
    for number in range(2):
        change = replace(
            added, op="u", row=dropped, lsn=101 + number, offset=1 + number
        )
        stream.changes.append(change)
        stream.records.append(change.record())
    airline.take(stream.records)
    assert airline.refused() == {}
    assert airline.living("tickets")[ONE]["contact_data"] is None
    (found,) = run_checks(
        airline.settings, caller("checks"), ["flights/columns_are_known"]
    ).results
    assert [(r["table_name"], r["column_name"], r["what"]) for r in found.examples] == [
        ("tickets", "contact_data", "missing"),
        ("tickets", "loyalty_no", "unknown"),
        ("tickets", "tier", "unknown"),
    ]
    assert found.examples[0]["kafka_offset"] == 1


def test_point_17_schemas_and_numbers_give_one_result(
    airline: Airline, stream: Stream
) -> None:
    stream.add("bookings", "c", 100, total_amount="25600.50")
    stream.add("ticket_flights", "c", 101, amount="200.00")
    stream.add("ticket_flights", "d", 102)
    airline.take(stream.records)
    plain = airline.checksum()
    for record in list(stream.records):
        doc = json.loads(record.value) if record.value else None
        if doc and doc["after"]:
            for name in ("total_amount", "amount"):
                if name in doc["after"]:
                    doc["after"][name] = float(doc["after"][name])
        assert record.key
        stream.records.append(
            replace(
                record,
                key=_with_schema(json.loads(record.key)),
                value=_with_schema(doc) if doc else None,
            )
        )
    airline.conn.execute("SELECT 1")
    other = stream.records[len(stream.records) // 2 :]
    moved = [replace(one, epoch=1) for one in other]
    airline.take(moved)
    assert airline.refused() == {}
    assert airline.checksum() == plain, "the same changes again, in another form"
    assert oracle.living(oracle.histories(stream.changes)["bookings"]) == (
        airline.living("bookings")
    )


def test_mart_by_hand(airline: Airline, stream: Stream) -> None:
    """One booking, two passengers, there and back; then a leg and all of it go."""
    airports = {"SVO": "Sheremetyevo", "LED": "Pulkovo"}
    for code, name in airports.items():
        named = json.dumps({"en": name})
        stream.add("airports", "c", 10, airport_code=code, airport_name=named)
    stream.add("bookings", "c", 20)
    stream.add("flights", "c", 30)
    back = {"departure_airport": "LED", "arrival_airport": "SVO"}
    later = "2026-03-12T06:35:00Z"
    stream.add("flights", "c", 31, flight_id=2, scheduled_departure=later, **back)
    for number in ("1", "2"):
        ticket = f"000543200000{number}"
        stream.add("tickets", "c", 40, ticket_no=ticket, passenger_id=number)
        for flight in (1, 2):
            stream.add("ticket_flights", "c", 50, ticket_no=ticket, flight_id=flight,
                       amount=f"{number}00.00")  # fmt: skip
    airline.take_all(stream)
    assert {p: row[1:] for p, row in airline.presentation().items()} == {
        "1": (2, 0, Decimal(200), "SVO", "Sheremetyevo"),
        "2": (2, 0, Decimal(400), "SVO", "Sheremetyevo"),
    }
    times = "SELECT passenger_id, created_at FROM cdm.presentation"
    changed = dict(airline.rows(times))

    def take(*args: Any, **values: Any) -> None:
        begin = len(stream.records)
        stream.add(*args, **values)
        airline.take(stream.records[begin:])
        airline.assert_true(stream.changes)

    take("flights", "u", 60, status="Cancelled")
    assert airline.presentation()["1"][1:] == (
        1, 0, Decimal(200), "LED", "Pulkovo",
    )  # fmt: skip
    take("flights", "u", 61, flight_id=2, status="Cancelled", **back)
    assert airline.presentation()["2"][1:] == (0, 0, Decimal(400), None, None)
    now = dict(airline.rows(times))
    assert all(now[passenger] > changed[passenger] for passenger in changed)
    take("seats", "c", 70)
    same = dict(airline.rows(times))
    assert same == now, "a row that is as it was keeps its time"
    for number in ("1", "2"):
        take("tickets", "d", 80, ticket_no=f"000543200000{number}")
    assert airline.presentation() == {}


def _unknown(airline: Airline) -> int:
    (found,) = run_checks(
        airline.settings, caller("checks"), ["flights/values_are_known"]
    ).results
    return found.found


def _with_schema(payload: Any) -> bytes:
    return json.dumps({"schema": {"type": "struct"}, "payload": payload}).encode()


def test_keys_are_made_from_business_keys(airline: Airline, stream: Stream) -> None:
    stream.add("seats", "c", 100)
    stream.add("flights", "c", 100)
    stream.add("tickets", "c", 100, book_ref="AB    ", ticket_no="0005432000001  ")
    airline.take_all(stream)
    aircraft = uuid5(HUB_KEY_NAMESPACE, "320")
    assert airline.rows("SELECT h_seat_pk FROM dds.h_seat") == [
        (uuid5(aircraft, "1A"),)
    ]
    assert airline.rows("SELECT h_flight_pk FROM dds.h_flight") == [
        (uuid5(HUB_KEY_NAMESPACE, "1"),)
    ]
    booking = uuid5(HUB_KEY_NAMESPACE, "AB")
    assert airline.rows("SELECT h_booking_pk, book_ref FROM dds.h_booking") == [
        (booking, "AB")
    ]
    ticket = uuid5(HUB_KEY_NAMESPACE, "0005432000001")
    assert airline.rows("SELECT hk_ticket_booking_pk FROM dds.l_ticket_booking") == [
        (uuid5(ticket, str(booking)),)
    ]


def test_checks_of_the_vault_hold(airline: Airline, stream: Stream) -> None:
    for table in ROWS:
        stream.add(table, "c", 100)
    stream.add("seats", "c", 100, seat_no="2A")
    stream.add("seats", "c", 100, aircraft_code="SU9")
    airline.take(stream.records)
    report = run_checks(airline.settings, caller("checks"))
    broken = {f"{one.check} {one.subject}" for one in report.results if one.found}
    assert {name for name in broken if "flights/" not in name} <= {
        "operation/watch_is_awake operation"
    }
    assert {name for name in broken if name.startswith("flights/")} == {
        "flights/bookings_add_up flights"
    }


def test_heartbeat_that_waits_breaks_no_promise(
    airline: Airline, stream: Stream
) -> None:
    for table in ("heartbeat", "tickets"):
        stream.add(table, "u", 100)
    airline.stage(stream.records)
    airline.conn.execute(
        "INSERT INTO ops.log_ends (topic, epoch, kafka_partition, end_offset, seen_dt)"
        " SELECT topic, epoch, kafka_partition, 10, now() - interval '1 hour'"
        " FROM ops.watermarks"
    )
    (found,) = run_checks(
        airline.settings, caller("checks"), ["operation/freshness_is_kept"]
    ).results
    assert [row["topic"] for row in found.examples] == ["flights.bookings.tickets"]


def test_point_24_mart_by_hand(airline: Airline, stream: Stream) -> None:
    """One booking, two passengers, out and back."""
    one, two = "0001 000001", "0001 000002"
    for code in ("SVO", "LED"):
        stream.add("airports", "c", 100, airport_code=code, airport_name=f'"{code}"')
    stream.add("bookings", "c", 100)
    back = {"departure_airport": "LED", "arrival_airport": "SVO"}
    stream.add("flights", "c", 100)
    stream.add(
        *("flights", "c", 101),
        **(back | {"flight_id": 2, "scheduled_departure": "2026-03-12T06:35:00Z"}),
    )
    tickets = {one: "0005432000001", two: "0005432000002"}
    for passenger, ticket in tickets.items():
        stream.add("tickets", "c", 110, ticket_no=ticket, passenger_id=passenger)
        for flight in (1, 2):
            amount = {one: "100.00", two: "150.00"}[passenger]
            stream.add(
                *("ticket_flights", "c", 111),
                **{"ticket_no": ticket, "flight_id": flight, "amount": amount},
            )
    airline.take(stream.records)

    def said() -> dict[str, tuple[Any, ...]]:
        airline.assert_true(stream.changes)
        return {key: (row[1], *row[3:]) for key, row in airline.presentation().items()}

    def later(begin: int) -> None:
        airline.take(stream.records[begin:])

    home = ("SVO", "SVO")
    assert said() == {one: (2, 200, *home), two: (2, 300, *home)}

    begin = len(stream.records)
    stream.add("flights", "u", 120, status="Cancelled")
    later(begin)
    # The leg that is left sets out in LED.
    assert said() == {one: (1, 200, "LED", "LED"), two: (1, 300, "LED", "LED")}

    begin = len(stream.records)
    stream.add("flights", "u", 130, flight_id=2, status="Cancelled", **back)
    later(begin)
    assert said() == {one: (0, 200, None, None), two: (0, 300, None, None)}

    begin = len(stream.records)
    for ticket in tickets.values():
        for flight in (1, 2):
            key = {"ticket_no": ticket, "flight_id": flight}
            stream.add("ticket_flights", "d", 140, **key)
        stream.add("tickets", "d", 140, ticket_no=ticket)
    stream.add("bookings", "d", 140)
    later(begin)
    assert said() == {}

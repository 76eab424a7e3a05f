"""The mart's own words, worked out by hand for one booking.

Two passengers, out and back: joins that multiply would give each of them four flights
and twice the money. Nothing of it is committed.
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from palate.simulate.flights import compare
from tests.flights.airline import Connection, Source

_WORDS = Path(compare.__file__).with_name("presentation.sql").read_bytes()
_TABLES = (
    "aircrafts, airports, seats, bookings, tickets, flights, ticket_flights,"
    " boarding_passes"
)


@pytest.fixture
def airline(source: Source) -> Iterator[Connection]:
    """Give a session in which there is that booking, and nothing else."""
    with source.application() as conn, conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL search_path = bookings")
        conn.execute(f"TRUNCATE {_TABLES}")
        conn.execute("INSERT INTO aircrafts VALUES ('320', '{\"en\": \"A320\"}', 5700)")
        conn.execute(
            "INSERT INTO airports VALUES"
            """ ('SVO', '{"ru": "Шереметьево", "en": "Sheremetyevo"}', '{}',"""
            " '(37.4,55.9)', 'Europe/Moscow'),"
            """ ('LED', '{"ru": "Пулково"}', '{}', '(30.2,59.8)', 'Europe/Moscow')"""
        )
        conn.execute(
            "INSERT INTO flights VALUES"
            " (1, 'PG0001', '2026-03-10 06:00Z', '2026-03-10 07:30Z', 'SVO', 'LED',"
            "  'Scheduled', '320', NULL, NULL),"
            " (2, 'PG0002', '2026-03-12 06:00Z', '2026-03-12 07:30Z', 'LED', 'SVO',"
            "  'Scheduled', '320', NULL, NULL)"
        )
        conn.execute("INSERT INTO bookings VALUES ('00000A', '2026-03-01 Z', 400)")
        conn.execute(
            "INSERT INTO tickets VALUES"
            " ('0000000000001', '00000A', '11', 'ANNA ORLOV', NULL),"
            " ('0000000000002', '00000A', '22', 'IVAN KIM', NULL)"
        )
        conn.execute(
            "INSERT INTO ticket_flights VALUES"
            " ('0000000000001', 1, 'Economy', 110),"
            " ('0000000000001', 2, 'Economy', 90),"
            " ('0000000000002', 1, 'Economy', 110),"
            " ('0000000000002', 2, 'Economy', 90)"
        )
        yield conn


def rows(conn: Connection) -> list[tuple[Any, ...]]:
    return conn.execute(_WORDS, {"language": "en"}).fetchall()


def test_each_has_both_flights_and_what_he_paid(airline: Connection) -> None:
    assert rows(airline) == [
        ("11", "ANNA ORLOV", 2, 0, Decimal(200), "SVO", "Sheremetyevo"),
        ("22", "IVAN KIM", 2, 0, Decimal(200), "SVO", "Sheremetyevo"),
    ]


def test_cancelled_leg_counts_no_more_and_its_money_stays(airline: Connection) -> None:
    airline.execute("UPDATE flights SET status = 'Cancelled' WHERE flight_id = 1")
    # He set out from LED then; it has no English name.
    assert rows(airline)[0] == ("11", "ANNA ORLOV", 1, 0, 200, "LED", "Пулково")
    airline.execute("UPDATE flights SET status = 'Cancelled'")
    assert rows(airline)[0] == ("11", "ANNA ORLOV", 0, 0, 200, None, None)


def test_flown_is_who_had_a_pass(airline: Connection) -> None:
    airline.execute("INSERT INTO boarding_passes VALUES ('0000000000002', 1, 1, '1A')")
    assert [row[3] for row in rows(airline)] == [0, 0]
    airline.execute("UPDATE flights SET status = 'Departed'")
    assert [row[3] for row in rows(airline)] == [0, 1]


def test_name_is_that_of_the_newest_booking_then_of_the_greatest_ticket(
    airline: Connection,
) -> None:
    airline.execute("UPDATE tickets SET passenger_id = '11'")
    assert rows(airline) == [("11", "IVAN KIM", 2, 0, 400, "SVO", "Sheremetyevo")]
    airline.execute("INSERT INTO bookings VALUES ('00000B', '2026-04-01 Z', 0)")
    airline.execute(
        "INSERT INTO tickets VALUES ('0000000000000', '00000B', '11', 'A ORLOV', NULL)"
    )
    assert rows(airline)[0][:3] == ("11", "A ORLOV", 2)


def test_name_of_an_airport_may_be_a_plain_text(airline: Connection) -> None:
    airline.execute("UPDATE airports SET airport_name = '\"Sheremetyevo II\"'")
    assert rows(airline)[0][-1] == "Sheremetyevo II"


def test_deleted_booking_takes_its_passengers_along(airline: Connection) -> None:
    airline.execute("DELETE FROM ticket_flights")
    airline.execute("DELETE FROM tickets")
    assert rows(airline) == []

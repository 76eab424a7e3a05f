"""Changes of an airline's tables, made by number: the same each time.

``snapshot`` gives the reads of a connector's first snapshot; ``changes`` what happens
then, one change of a row after the other, each of a transaction of its own.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from palate.names import AREAS_FOLDER
from palate.sources import load_changed_tables

# The snapshot's topics have names of their own, so that it needs no broker.
PAST, PREFIX = "past", "flights"
_DEFINED = load_changed_tables(AREAS_FOLDER / "flights/sources/changes/tables.yaml")
_KEYS = {one.name: [key.name for key in one.key] for one in _DEFINED if one.hub_keys}
TABLES = tuple(_KEYS)
_START = datetime(2026, 3, 1, tzinfo=UTC)
_SNAPSHOT_LSN = 1_000
_AIRCRAFT = ("319", "320", "321", "733", "763", "773", "CN1", "CR2", "SU9")
_AIRPORTS = 104
# Each flight has so many passengers.
_PASSENGERS = 40
# Of a hundred changes: the table, and how many concern it.
_MIX = {
    "ticket_flights": 40,
    "boarding_passes": 30,
    "tickets": 20,
    "bookings": 9,
    "flights": 1,
}


@dataclass(frozen=True)
class Record:
    """A message at its position; each topic has one partition."""

    topic: str
    offset: int
    sent_at: datetime
    key: bytes
    value: bytes


@dataclass
class Airline:
    """So many tickets; it goes on from message to message."""

    tickets: int
    prefix: str = PREFIX
    _next: Counter[str] = field(default_factory=Counter)
    _lsn: int = _SNAPSHOT_LSN

    @property
    def flights(self) -> int:
        """Return how many flights there are."""
        return max(self.tickets * 5 // (2 * _PASSENGERS), 10)

    def snapshot(self) -> Iterator[Record]:
        """Yield the read of each row."""
        for code in _AIRCRAFT:
            yield self._read("aircrafts", _aircraft(code))
            for number in range(1, 21):
                yield self._read("seats", _seat(code, number))
        for number in range(_AIRPORTS):
            yield self._read("airports", _airport(number))
        for number in range(self.flights):
            yield self._read("flights", _flight(number))
        for number in range(0, self.tickets, 2):
            yield self._read("bookings", _booking(number // 2))
        for number in range(self.tickets):
            yield self._read("tickets", _ticket(number))
            for flight in self._flights_of(number):
                yield self._read("ticket_flights", _ticket_flight(number, flight))
                if flight % 3:
                    yield self._read("boarding_passes", _boarding_pass(number, flight))

    def changes(self, count: int, only: str = "") -> Iterator[Record]:
        """Yield the next changes of rows that the snapshot has.

        :param only: the table; default: of all that change, in a mix
        """
        chance = random.Random(self._lsn)
        tables = [only] if only else list(_MIX)
        weights = [1] if only else list(_MIX.values())
        for table in chance.choices(tables, weights, k=count):
            self._lsn += 8
            ticket = chance.randrange(self.tickets)
            flight = chance.choice(self._flights_of(ticket))
            row = {
                "bookings": lambda n=ticket: _booking(n // 2, self._lsn),
                "tickets": lambda n=ticket: _ticket(n, f"NAME {self._lsn}"),
                "flights": lambda n=flight: _flight(n, "Delayed", self._lsn % 60),
                "ticket_flights": lambda n=ticket, f=flight: _ticket_flight(
                    n, f, self._lsn
                ),
                "boarding_passes": lambda n=ticket, f=flight: _boarding_pass(
                    n, f, self._lsn % 300
                ),
            }[table]()
            yield self._record(table, row, "u", self._lsn)

    def _flights_of(self, ticket: int) -> list[int]:
        first = ticket * 7919 % self.flights
        return [(first + leg * 31) % self.flights for leg in range(2 + ticket % 2)]

    def _read(self, table: str, row: dict[str, Any]) -> Record:
        return self._record(table, row, "r", _SNAPSHOT_LSN)

    def _record(self, table: str, row: dict[str, Any], op: str, lsn: int) -> Record:
        offset = self._next[table]
        self._next[table] += 1
        sent_at = _START + timedelta(milliseconds=lsn)
        value = {
            "before": None,
            "after": row,
            "op": op,
            "ts_ms": 0,
            "source": {
                "connector": "postgresql",
                "name": self.prefix,
                "db": "demo",
                "schema": "bookings",
                "table": table,
                "snapshot": "true" if op == "r" else "false",
                "ts_us": int(sent_at.timestamp() * 1_000_000),
                "txId": lsn,
                "lsn": lsn,
            },
        }
        key = {name: row[name] for name in _KEYS[table]}
        return Record(
            f"{self.prefix}.bookings.{table}",
            offset,
            sent_at + timedelta(seconds=1),
            json.dumps(key).encode(),
            json.dumps(value).encode(),
        )


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _aircraft(code: str) -> dict[str, Any]:
    model = json.dumps({"en": f"Model {code}", "ru": f"Модель {code}"})
    return {"aircraft_code": code, "model": model, "range": 5_000}


def _seat(code: str, number: int) -> dict[str, Any]:
    return {
        "aircraft_code": code,
        "seat_no": f"{number}A",
        "fare_conditions": "Economy",
    }


def _airport_code(number: int) -> str:
    return f"{chr(65 + number // 26 % 26)}{chr(65 + number % 26)}X"


def _airport(number: int) -> dict[str, Any]:
    name = json.dumps({"en": f"Airport {number}", "ru": f"Аэропорт {number}"})
    return {
        "airport_code": _airport_code(number),
        "airport_name": name,
        "city": name,
        "coordinates": {"x": 37.5, "y": 55.5 + number / 100, "wkb": "", "srid": None},
        "timezone": "Europe/Moscow",
    }


def _flight(number: int, status: str = "Arrived", minutes: int = 0) -> dict[str, Any]:
    departure = _START + timedelta(minutes=number % 20_000 + minutes)
    begin, end = number % _AIRPORTS, (number * 7 + 1) % _AIRPORTS
    return {
        "flight_id": number + 1,
        "flight_no": f"PG{number % 10_000:04}",
        "scheduled_departure": _time(departure),
        "scheduled_arrival": _time(departure + timedelta(hours=2)),
        "departure_airport": _airport_code(begin),
        "arrival_airport": _airport_code(end),
        "status": status,
        "aircraft_code": _AIRCRAFT[number % len(_AIRCRAFT)],
        "actual_departure": None,
        "actual_arrival": None,
    }


def _booking(number: int, amount: int = 0) -> dict[str, Any]:
    return {
        "book_ref": f"{number:06X}",
        "book_date": _time(_START - timedelta(minutes=number % 40_000)),
        "total_amount": f"{200 + amount % 90_000}.00",
    }


def _ticket(number: int, name: str = "") -> dict[str, Any]:
    passenger = number * 5 // 6  # some come back
    return {
        "ticket_no": f"{5432000000 + number:013}",
        "book_ref": f"{number // 2:06X}",
        "passenger_id": f"{passenger // 1_000_000:04} {passenger % 1_000_000:06}",
        "passenger_name": name or f"PASSENGER {passenger}",
        "contact_data": json.dumps({"phone": f"+7{passenger:010}"}),
    }


def _ticket_flight(number: int, flight: int, amount: int = 0) -> dict[str, Any]:
    return {
        "ticket_no": f"{5432000000 + number:013}",
        "flight_id": flight + 1,
        "fare_conditions": "Economy",
        "amount": f"{100 + amount % 90_000}.00",
    }


def _boarding_pass(number: int, flight: int, boarding: int = 0) -> dict[str, Any]:
    return {
        "ticket_no": f"{5432000000 + number:013}",
        "flight_id": flight + 1,
        "boarding_no": boarding + 1,
        "seat_no": f"{number % 200 + 1}A",
    }

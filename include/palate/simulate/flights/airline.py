"""The airline's database, as its application sees and fills it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from palate.simulate.errors import AirlineError
from palate.simulate.flights.places import (
    AIRCRAFT,
    AIRPORTS,
    FARES,
    GIVEN,
    SURNAMES,
    Aircraft,
)

Row = tuple[Any, ...]
# Flights that can still be booked, and those that can be checked in to.
OPEN = ("Scheduled", "On Time", "Delayed")
_FIRST_TICKET = 5_432_000_000


class Airline:
    """One session of the application; each act is a transaction of it."""

    def __init__(self, conn: psycopg.Connection[Row], seed: int) -> None:
        """Continue: the same seed and the same rows give the same acts.

        :param conn: in autocommit mode
        """
        self.conn = conn
        self.random = random.Random(f"{seed} {self._fingerprint()}")

    def one(self, query: LiteralString, *values: object) -> Row | None:
        """Return the first row."""
        return self.conn.execute(query, values).fetchone()

    def all(self, query: LiteralString, *values: object) -> list[Row]:
        """Return all rows; the query must order them."""
        return self.conn.execute(query, values).fetchall()

    def any(self, query: LiteralString, *values: object) -> Row | None:
        """Return one of the rows, by chance; the query must order them."""
        rows = self.all(query, *values)
        return self.random.choice(rows) if rows else None

    def do(self, statement: LiteralString, *values: object) -> int:
        """Execute a statement; return how many rows it was about."""
        return self.conn.execute(statement, values).rowcount

    def chance(self, share: float) -> bool:
        """Return whether something happens that does in this share of cases."""
        return self.random.random() < share

    def is_empty(self) -> bool:
        """Return whether it has no aircraft yet."""
        return self.one("SELECT 1 FROM bookings.aircrafts LIMIT 1") is None

    def fill(self, flights: int) -> None:
        """Enter airports, aircraft, seats and flights; there are none yet."""
        with self.conn.transaction():
            for airport in AIRPORTS:
                self.do(
                    "INSERT INTO bookings.airports VALUES"
                    " (%s, %s, %s, point(%s, %s), %s)",
                    airport.code,
                    Jsonb(by_language(airport.name)),
                    Jsonb(by_language(airport.city)),
                    airport.longitude,
                    airport.latitude,
                    airport.timezone,
                )
            for aircraft in AIRCRAFT:
                self.add_aircraft(aircraft)
            for _ in range(flights // 2):
                self.add_flights()

    def add_aircraft(self, aircraft: Aircraft) -> None:
        """Enter an aircraft with its seats."""
        self.do(
            "INSERT INTO bookings.aircrafts VALUES (%s, %s, %s)",
            aircraft.code,
            Jsonb(by_language(aircraft.model)),
            aircraft.range,
        )
        for seat, fare in aircraft.seats():
            self.do(
                "INSERT INTO bookings.seats VALUES (%s, %s, %s)",
                *(aircraft.code, seat, fare),
            )

    def add_flights(self) -> int:
        """Enter a flight and the one back, after all others; return the first's id."""
        start, end = self.random.sample(AIRPORTS, 2)
        # By a range of 1200 km a Cessna reaches none of the others.
        aircraft = self.random.choice(AIRCRAFT[:-1]).code
        last, latest = self.one(
            "SELECT coalesce(max(flight_id), 0), max(scheduled_departure)"
            " FROM bookings.flights"
        ) or (0, None)
        leaves = (latest or _today()) + timedelta(minutes=self.random.randint(1, 60))
        number = self.random.randint(1, 999)
        hours = timedelta(minutes=self.random.randrange(60, 420, 5))
        for step, (here, there) in enumerate(((start, end), (end, start))):
            departure = leaves + step * (hours + timedelta(hours=2))
            self.do(
                "INSERT INTO bookings.flights VALUES"
                " (%s, %s, %s, %s, %s, %s, 'Scheduled', %s)",
                last + 1 + step,
                f"PG{number + step:04}",
                departure,
                departure + hours,
                here.code,
                there.code,
                aircraft,
            )
        return int(last) + 1

    def ticket_number(self) -> str:
        """Return a number above those of all tickets that there are."""
        row = self.one("SELECT max(ticket_no) FROM bookings.tickets")
        last = int(row[0]) if row and row[0] else _FIRST_TICKET
        return f"{last + 1:013}"

    def passenger(self) -> tuple[str, str]:
        """Return document number and name of a passenger, often a known one."""
        if self.chance(0.5):
            known = self.any(
                "SELECT DISTINCT passenger_id, passenger_name FROM bookings.tickets"
                " ORDER BY 1, 2 LIMIT 500"
            )
            if known:
                return known[0], known[1]
        name = f"{self.random.choice(GIVEN)} {self.random.choice(SURNAMES)}"
        digits = self.random.randrange(10**10)
        return f"{digits // 10**6:04} {digits % 10**6:06}", name

    def price(self, fare: str) -> Decimal:
        """Return what a leg costs."""
        cents = self.random.randrange(150_000, 900_000, 50) * FARES[fare]
        return (Decimal(int(cents)) / 100).quantize(Decimal("0.01"))

    def contact(self) -> Jsonb | None:
        """Return a passenger's contact data; now and then none, or a lot of it."""
        if self.chance(0.1):
            return None
        digits = f"{self.random.randrange(10**9):09}"
        contact = {"phone": f"+79{digits}"}
        if self.chance(0.1):
            # So large that PostgreSQL stores it beside the row.
            contact["note"] = self.random.randbytes(6_000).hex()
        return Jsonb(contact)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Roll back what the body does."""
        with self.conn.transaction(force_rollback=True):
            yield

    def _fingerprint(self) -> str:
        row = self.one(
            "SELECT (SELECT count(*) FROM bookings.bookings),"
            " (SELECT max(ticket_no) FROM bookings.tickets),"
            " (SELECT max(flight_id) FROM bookings.flights)"
        )
        return repr(row)


@contextmanager
def connected(dsn: str, seed: int) -> Iterator[Airline]:
    """Give a session of the airline's application.

    :raises AirlineError: if the database can't be used
    """
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as conn:
            yield Airline(conn, seed)
    except psycopg.Error as error:
        # The driver's words may have the login.
        code = error.sqlstate or type(error).__name__
        raise AirlineError(
            f"The airline's database (FLIGHTS_AIRLINE_DSN) can't be used: {code}. "
            "Does it run, and has it the schema `bookings`?"
        ) from None


def by_language(names: tuple[str, str]) -> dict[str, str]:
    """Return a name as the airline writes it."""
    return dict(zip(("en", "ru"), names, strict=True))


def _today() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

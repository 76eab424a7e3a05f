"""What the airline does: it plans, moves and cancels flights, and changes its fleet."""

from datetime import timedelta

from psycopg.types.json import Jsonb

from palate.simulate.flights.airline import OPEN, Airline, by_language
from palate.simulate.flights.places import Aircraft


def add_flights(airline: Airline) -> str | None:
    """Plan a flight and the one back."""
    return f"planned flights from {airline.add_flights()} on"


def move_on(airline: Airline) -> str | None:
    """Let the next flights board, depart or arrive: its time goes faster than ours."""
    found = airline.any(
        "SELECT flight_id, status, scheduled_departure, scheduled_arrival,"
        " actual_departure FROM bookings.flights"
        " WHERE status NOT IN ('Arrived', 'Cancelled')"
        " ORDER BY scheduled_departure, flight_id LIMIT 4"
    )
    if found is None:
        return None
    flight, status, departure, arrival, departed = found
    late = timedelta(minutes=airline.random.randint(-5, 90))
    step = {"Scheduled": "On Time", "Boarding": "Departed", "Departed": "Arrived"}
    to = step.get(status, "Boarding")
    airline.do(
        "UPDATE bookings.flights SET status = %s, actual_departure = %s,"
        " actual_arrival = %s WHERE flight_id = %s",
        to,
        departure + late if to == "Departed" else departed,
        departed + (arrival - departure) if to == "Arrived" else None,
        flight,
    )
    return f"flight {flight} is {to}"


def delay(airline: Airline) -> str | None:
    """Delay a flight; half of the times it gets another time too."""
    flight = airline.any(
        "SELECT flight_id FROM bookings.flights"
        " WHERE status IN ('Scheduled', 'On Time') ORDER BY flight_id"
    )
    if flight is None:
        return None
    by = timedelta(minutes=airline.random.randrange(0, 120, 15))
    by *= airline.random.randint(0, 1)
    airline.do(
        "UPDATE bookings.flights SET status = 'Delayed',"
        " scheduled_departure = scheduled_departure + %s,"
        " scheduled_arrival = scheduled_arrival + %s WHERE flight_id = %s",
        *(by, by, flight[0]),
    )
    return f"flight {flight[0]} is delayed"


def swap_aircraft(airline: Airline) -> str | None:
    """Let another aircraft fly; the boarding passes keep their seat numbers."""
    flight = airline.any(
        "SELECT flight_id, aircraft_code FROM bookings.flights"
        " WHERE status = ANY(%s) ORDER BY flight_id",
        list(OPEN),
    )
    # The borrowed one may go any time.
    other = flight and airline.any(
        "SELECT aircraft_code FROM bookings.aircrafts"
        " WHERE aircraft_code NOT IN (%s, 'TMP') ORDER BY 1",
        flight[1],
    )
    if not flight or not other:
        return None
    airline.do(
        "UPDATE bookings.flights SET aircraft_code = %s WHERE flight_id = %s",
        *(other[0], flight[0]),
    )
    return f"flight {flight[0]} gets {other[0]}"


def cancel(airline: Airline) -> str | None:
    """Cancel a flight; who had checked in has no pass any more."""
    flight = airline.any(
        "SELECT flight_id FROM bookings.flights WHERE status = ANY(%s) ORDER BY 1",
        list(OPEN),
    )
    if flight is None:
        return None
    airline.do("DELETE FROM bookings.boarding_passes WHERE flight_id = %s", *flight)
    airline.do(
        "UPDATE bookings.flights SET status = 'Cancelled' WHERE flight_id = %s", *flight
    )
    return f"flight {flight[0]} is cancelled"


def renumber_seat(airline: Airline) -> str | None:
    """Give a seat another letter: its key changes."""
    seat = airline.any("SELECT aircraft_code, seat_no FROM bookings.seats ORDER BY 1,2")
    if seat is None:
        return None
    row, letter = seat[1][:-1], airline.random.choice("ABCDEFGHJK")
    done = airline.do(
        "UPDATE bookings.seats SET seat_no = %s WHERE aircraft_code = %s"
        " AND seat_no = %s AND NOT EXISTS (SELECT FROM bookings.seats"
        "  WHERE aircraft_code = %s AND seat_no = %s)",
        *(row + letter, *seat, seat[0], row + letter),
    )
    return f"seat {seat[1]} of {seat[0]} is {row}{letter}" if done else None


def rename_airport(airline: Airline) -> str | None:
    """Give an airport another name; now and then a plain text."""
    airport = airline.any("SELECT airport_code FROM bookings.airports ORDER BY 1")
    if airport is None:
        return None
    number = airline.random.randint(1, 99)
    names = (f"{airport[0]} Terminal {number}", f"{airport[0]} терминал {number}")
    name = names[0] if airline.chance(0.2) else by_language(names)
    airline.do(
        "UPDATE bookings.airports SET airport_name = %s WHERE airport_code = %s",
        *(Jsonb(name), airport[0]),
    )
    return f"airport {airport[0]} is called {names[0]}"


def change_fleet(airline: Airline) -> str | None:
    """Borrow an aircraft, or give that one back with all its seats."""
    aircraft = Aircraft("TMP", ("Borrowed", "Заёмный"), 4000, "AB", {"Economy": 2})
    if airline.one("SELECT 1 FROM bookings.aircrafts WHERE aircraft_code = 'TMP'"):
        airline.do("DELETE FROM bookings.aircrafts WHERE aircraft_code = 'TMP'")
        return "gave aircraft TMP back"
    airline.add_aircraft(aircraft)
    return "borrowed aircraft TMP"


def touch(airline: Airline) -> str | None:
    """Write what is there already."""
    airline.do("UPDATE bookings.airports SET timezone = timezone")
    return "wrote airports as they are"

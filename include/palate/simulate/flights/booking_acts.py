"""What passengers do: they book, check in, and think better of it."""

from decimal import Decimal

from palate.simulate.flights.airline import OPEN, Airline
from palate.simulate.flights.places import FARES


def book(airline: Airline) -> str | None:
    """Book for one to three people, mostly out and back."""
    out = airline.any(
        "SELECT flight_id, departure_airport, arrival_airport, scheduled_arrival"
        " FROM bookings.flights WHERE status = ANY(%s) ORDER BY flight_id",
        list(OPEN),
    )
    if out is None:
        return None
    legs = [out[0]]
    back = airline.one(
        "SELECT flight_id FROM bookings.flights WHERE departure_airport = %s"
        " AND arrival_airport = %s AND scheduled_departure > %s AND status = ANY(%s)"
        " ORDER BY scheduled_departure, flight_id",
        *(out[2], out[1], out[3], list(OPEN)),
    )
    if back and airline.chance(0.7):
        legs.append(back[0])
    reference = f"{airline.random.randrange(16**6):06X}"
    if airline.one("SELECT 1 FROM bookings.bookings WHERE book_ref = %s", reference):
        return None
    people = airline.random.randint(1, 3)
    fares = [airline.random.choice(list(FARES)) for _ in range(people)]
    prices = [[airline.price(fare) for _ in legs] for fare in fares]
    airline.do(
        "INSERT INTO bookings.bookings VALUES (%s, now(), %s)",
        *(reference, sum(map(sum, prices), Decimal())),
    )
    for fare, amounts in zip(fares, prices, strict=True):
        ticket = airline.ticket_number()
        airline.do(
            "INSERT INTO bookings.tickets VALUES (%s, %s, %s, %s, %s)",
            *(ticket, reference, *airline.passenger(), airline.contact()),
        )
        for flight, amount in zip(legs, amounts, strict=True):
            airline.do(
                "INSERT INTO bookings.ticket_flights VALUES (%s, %s, %s, %s)",
                *(ticket, flight, fare, amount),
            )
    return f"booked {reference}: {people} on {len(legs)} flight(s)"


def check_in(airline: Airline) -> str | None:
    """Give a passenger a seat of the fare that was paid."""
    found = airline.any(
        "SELECT tf.ticket_no, tf.flight_id, tf.fare_conditions, f.aircraft_code"
        " FROM bookings.ticket_flights AS tf"
        " INNER JOIN bookings.flights AS f USING (flight_id)"
        " LEFT JOIN bookings.boarding_passes AS bp USING (ticket_no, flight_id)"
        " WHERE bp.ticket_no IS NULL AND f.status = ANY(%s)"
        " ORDER BY f.scheduled_departure, f.flight_id, tf.ticket_no LIMIT 50",
        [*OPEN, "Boarding"],
    )
    if found is None:
        return None
    ticket, flight, fare, aircraft = found
    seat = airline.any(
        "SELECT seat_no FROM bookings.seats WHERE aircraft_code = %s"
        " AND seat_no NOT IN (SELECT seat_no FROM bookings.boarding_passes"
        "  WHERE flight_id = %s)"
        " AND (fare_conditions = %s OR NOT EXISTS (SELECT FROM bookings.seats"
        "  WHERE aircraft_code = %s AND fare_conditions = %s)) ORDER BY seat_no",
        *(aircraft, flight, fare, aircraft, fare),
    )
    if seat is None:
        return None
    airline.do(
        "INSERT INTO bookings.boarding_passes SELECT %s, %s,"
        " coalesce(max(boarding_no), 0) + 1, %s FROM bookings.boarding_passes"
        " WHERE flight_id = %s",
        *(ticket, flight, seat[0], flight),
    )
    return f"checked {ticket} in to flight {flight}, seat {seat[0]}"


def rebook(airline: Airline) -> str | None:
    """Put a ticket on another flight: the key of the row changes."""
    leg = airline.any(
        "SELECT tf.ticket_no, tf.flight_id FROM bookings.ticket_flights AS tf"
        " INNER JOIN bookings.flights AS f USING (flight_id)"
        " WHERE f.status NOT IN ('Departed', 'Arrived') ORDER BY 1, 2"
    )
    to = leg and airline.any(
        "SELECT flight_id FROM bookings.flights WHERE status = ANY(%s)"
        " AND flight_id NOT IN (SELECT flight_id FROM bookings.ticket_flights"
        "  WHERE ticket_no = %s) ORDER BY 1",
        *(list(OPEN), leg[0]),
    )
    if not leg or not to:
        return None
    airline.do(
        "DELETE FROM bookings.boarding_passes WHERE ticket_no = %s AND flight_id = %s",
        *leg,
    )
    airline.do(
        "UPDATE bookings.ticket_flights SET flight_id = %s"
        " WHERE ticket_no = %s AND flight_id = %s",
        *(to[0], *leg),
    )
    return f"rebooked {leg[0]} from flight {leg[1]} to {to[0]}"


def issue_anew(airline: Airline) -> str | None:
    """Give a ticket another number, and with it all that hangs on it."""
    ticket = airline.any("SELECT ticket_no FROM bookings.tickets ORDER BY 1")
    if ticket is None:
        return None
    number = airline.ticket_number()
    airline.do(
        "UPDATE bookings.tickets SET ticket_no = %s WHERE ticket_no = %s",
        *(number, ticket[0]),
    )
    return f"ticket {ticket[0]} is {number}"


def upgrade(airline: Airline) -> str | None:
    """Sell a better fare: the leg and the booking cost more."""
    leg = airline.any(
        "SELECT tf.ticket_no, tf.flight_id, t.book_ref"
        " FROM bookings.ticket_flights AS tf"
        " INNER JOIN bookings.tickets AS t USING (ticket_no)"
        " WHERE tf.fare_conditions = 'Economy' ORDER BY 1, 2"
    )
    if leg is None:
        return None
    more = airline.price("Economy")
    airline.do(
        "UPDATE bookings.ticket_flights SET fare_conditions = 'Business',"
        " amount = amount + %s WHERE ticket_no = %s AND flight_id = %s",
        *(more, *leg[:2]),
    )
    airline.do(
        "UPDATE bookings.bookings SET total_amount = total_amount + %s"
        " WHERE book_ref = %s",
        *(more, leg[2]),
    )
    return f"upgraded {leg[0]} on flight {leg[1]}"


def correct_name(airline: Airline) -> str | None:
    """Correct the name on a ticket; large contact data stay, and are not sent again."""
    ticket = airline.any("SELECT ticket_no FROM bookings.tickets ORDER BY 1")
    if ticket is None:
        return None
    airline.do(
        "UPDATE bookings.tickets SET passenger_name = %s WHERE ticket_no = %s",
        *(airline.passenger()[1], ticket[0]),
    )
    return f"corrected the name on {ticket[0]}"


def change_contact(airline: Airline) -> str | None:
    """Change a passenger's contact data, or forget them."""
    ticket = airline.any("SELECT ticket_no FROM bookings.tickets ORDER BY 1")
    if ticket is None:
        return None
    airline.do(
        "UPDATE bookings.tickets SET contact_data = %s WHERE ticket_no = %s",
        *(airline.contact(), ticket[0]),
    )
    return f"changed contact data of {ticket[0]}"


def write_leg_anew(airline: Airline) -> str | None:
    """Delete a leg and insert it again at once: one key, twice in a transaction."""
    leg = airline.any(
        "SELECT tf.* FROM bookings.ticket_flights AS tf"
        " LEFT JOIN bookings.boarding_passes AS bp USING (ticket_no, flight_id)"
        " WHERE bp.ticket_no IS NULL ORDER BY tf.ticket_no, tf.flight_id"
    )
    if leg is None:
        return None
    airline.do(
        "DELETE FROM bookings.ticket_flights WHERE ticket_no = %s AND flight_id = %s",
        *leg[:2],
    )
    airline.do("INSERT INTO bookings.ticket_flights VALUES (%s, %s, %s, %s)", *leg)
    return f"wrote {leg[0]} on flight {leg[1]} anew"


def delete_booking(airline: Airline) -> str | None:
    """Delete a booking with all that hangs on it."""
    found = airline.any("SELECT book_ref FROM bookings.bookings ORDER BY 1")
    if found is None:
        return None
    airline.do(
        "DELETE FROM bookings.boarding_passes WHERE ticket_no IN"
        " (SELECT ticket_no FROM bookings.tickets WHERE book_ref = %s)",
        *found,
    )
    airline.do(
        "DELETE FROM bookings.ticket_flights WHERE ticket_no IN"
        " (SELECT ticket_no FROM bookings.tickets WHERE book_ref = %s)",
        *found,
    )
    airline.do("DELETE FROM bookings.tickets WHERE book_ref = %s", *found)
    airline.do("DELETE FROM bookings.bookings WHERE book_ref = %s", *found)
    return f"deleted booking {found[0]}"


def think_better(airline: Airline) -> str | None:
    """Begin to delete a booking, and roll back."""
    with airline.undone():
        done = delete_booking(airline)
    return done and f"{done}, and rolled back"


def truncate_passes(airline: Airline) -> str | None:
    """Empty the table of boarding passes at once."""
    airline.do("TRUNCATE bookings.boarding_passes")
    return "truncated boarding_passes"

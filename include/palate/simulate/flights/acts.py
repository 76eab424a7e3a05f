"""What happens at an airline: each act is one transaction."""

from collections.abc import Callable

from palate.simulate.flights import booking_acts, flight_acts
from palate.simulate.flights.airline import Airline

# Returns what was done, or None if there was nothing to do it to.
Act = Callable[[Airline], str | None]

# How often each happens.
WEIGHTS: dict[Act, float] = {
    booking_acts.book: 30,
    booking_acts.check_in: 22,
    flight_acts.move_on: 14,
    flight_acts.delay: 5,
    booking_acts.rebook: 5,
    booking_acts.correct_name: 3,
    booking_acts.change_contact: 3,
    booking_acts.delete_booking: 3,
    booking_acts.upgrade: 3,
    flight_acts.add_flights: 3,
    flight_acts.swap_aircraft: 2,
    flight_acts.renumber_seat: 2,
    booking_acts.issue_anew: 2,
    booking_acts.write_leg_anew: 2,
    flight_acts.cancel: 1,
    flight_acts.rename_airport: 1,
    flight_acts.change_fleet: 1,
    flight_acts.touch: 0.5,
    booking_acts.think_better: 0.5,
    booking_acts.truncate_passes: 0.4,
}


def fill_if_empty(airline: Airline, flights: int, bookings: int) -> bool:
    """Enter flights and bookings, unless there are rows; return whether it did."""
    is_empty = airline.is_empty()
    if is_empty:
        airline.fill(flights)
        for _ in range(bookings):
            with airline.conn.transaction():
                booking_acts.book(airline)
    return is_empty


def act(airline: Airline) -> tuple[str, str]:
    """Do one thing; return the act's name and what was done.

    :raises LookupError: if there is nothing that could be done
    """
    acts = list(WEIGHTS)
    for _ in range(100):
        (chosen,) = airline.random.choices(acts, list(WEIGHTS.values()))
        with airline.conn.transaction():
            done = chosen(airline)
        if done:
            return chosen.__name__, done
    message = "the airline has neither flights nor bookings"
    raise LookupError(message)

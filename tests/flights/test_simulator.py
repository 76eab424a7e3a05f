"""The simulator of the airline does all that is said of it, and the same again.

Nothing of it is committed here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from palate.simulate.flights import acts
from palate.simulate.flights.acts import Act
from palate.simulate.flights.airline import Airline
from tests.flights.airline import Source


def test_same_rows_and_seed_give_the_same_acts(source: Source) -> None:
    with _undone(source, 5) as airline:
        once = [acts.act(airline) for _ in range(60)]
    with _undone(source, 5) as airline:
        assert [acts.act(airline) for _ in range(60)] == once
    with _undone(source, 6) as airline:
        assert [acts.act(airline) for _ in range(60)] != once


@pytest.mark.parametrize("act", acts.WEIGHTS, ids=lambda act: act.__name__)
def test_each_act_can_be_done(source: Source, act: Act) -> None:
    with _undone(source, 7) as airline:
        assert any(act(airline) for _ in range(20))


def test_booking_costs_what_its_tickets_cost(source: Source) -> None:
    with _undone(source, 8) as airline:
        for _ in range(150):
            acts.act(airline)
        assert not airline.all(
            "SELECT b.book_ref FROM bookings.bookings AS b"
            " LEFT JOIN bookings.tickets AS t USING (book_ref)"
            " LEFT JOIN bookings.ticket_flights AS tf USING (ticket_no)"
            " GROUP BY b.book_ref HAVING b.total_amount <> coalesce(sum(tf.amount), 0)"
        )


@contextmanager
def _undone(source: Source, seed: int) -> Iterator[Airline]:
    with source.application() as conn, conn.transaction(force_rollback=True):
        yield Airline(conn, seed)

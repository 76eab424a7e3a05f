"""What happens to orders, from their first message to the last."""

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from palate.simulate.clock import DAY, HOUR, MINUTE, to_seconds
from palate.simulate.messages import Messages, Order, Topics
from palate.simulate.model import Event, Line, Version
from palate.simulate.scenario import Scenario
from palate.simulate.world import Guest, World

FIRST_ORDER_ID = 2_300_000

_CANCELLED_AT_ONCE = 0.04
_CLOSED = ("OPEN", "COOKING", "DELIVERING", "CLOSED")
_CANCELLED = ("OPEN", "COOKING", "CANCELLED")


@dataclass(frozen=True)
class Pace:
    """How long things take, as ranges in seconds.

    ``step`` is from one status to the next, when each has its message; ``send`` from a
    version to its message; ``afterwards`` until an order is corrected or cancelled, or
    its message comes late or again.
    """

    step: tuple[int, int]
    send: tuple[int, int]
    afterwards: tuple[int, int]


HISTORY = Pace(step=(5 * MINUTE, 40 * MINUTE), send=(1, 59), afterwards=(HOUR, DAY))
LIVE = Pace(step=(5, 20), send=(0, 0), afterwards=(20, 120))


class Orders:
    """Places orders, and keeps events until these are due."""

    def __init__(
        self,
        world: World,
        scenario: Scenario,
        rnd: random.Random,
        pace: Pace,
        topics: Topics,
        first_id: int = FIRST_ORDER_ID,
        until: int | None = None,
    ) -> None:
        """Begin without orders.

        :param until: no message is later than this, in seconds since 1970 UTC
        """
        self.next_id = first_id
        self._world = world
        self._scenario = scenario
        self._rnd = rnd
        self._pace = pace
        self._messages = Messages(world, rnd, topics, scenario.enriched)
        self._until = until if until is not None else 1 << 60
        self._heap: list[tuple[int, int, Event]] = []
        self._number = count()

    def push(self, event: Event) -> None:
        """Keep an event until it is due."""
        heapq.heappush(self._heap, (event.at, next(self._number), event))

    def due(self, at: int | None = None) -> Iterator[Event]:
        """Return what is due at ``at``, the earliest first; all if it is None."""
        heap = self._heap
        while heap and (at is None or heap[0][0] <= at):
            yield heapq.heappop(heap)[2]

    def place(self, at: int, guest: Guest | None = None) -> None:
        """Let a guest place an order whose first message is dated ``at``."""
        chance, share = self._rnd.random, self._scenario
        guest = guest or self._world.pick_guest(self._rnd)
        restaurant, tastes = self._world.pick_restaurant(self._rnd, guest)
        lines: tuple[Line, ...] = ()
        if not share.empty or chance() >= share.empty:
            lines = self._world.basket(self._rnd, restaurant, tastes)
        order = Order(self.next_id, guest.id, restaurant.id, lines, at, [])
        self.next_id += 1
        closed = chance() >= _CANCELLED_AT_ONCE
        path = _CLOSED if closed else _CANCELLED
        if share.versions and chance() < share.versions:
            at = self._tell_each_status(order, path)
        else:
            order.statuses = self._ending_at(path, at)
            self._send_version(order, at)
        if share.corrected and chance() < share.corrected:
            at = self._correct(order, at)
        if share.changed_guest and chance() < share.changed_guest:
            at = self._change_guest(order, at)
        if closed and share.cancelled and chance() < share.cancelled:
            self._tell_later(order, "CANCELLED", at)

    def revise(self, version: Version, at: int) -> None:
        """Correct or cancel, at ``at``, an order that another run has sent."""
        order = Order(
            version.order_id,
            version.user_id,
            version.restaurant_id,
            tuple(line._replace(category=None) for line in version.lines),
            to_seconds(version.date),
            [(version.status, to_seconds(version.version_dt))],
        )
        if version.status == "CLOSED" and self._rnd.random() < 0.5:
            order.statuses = [("CANCELLED", at), *order.statuses]
        else:
            order.lines = self._other_lines(order)
        self._send_version(order, at)

    def _tell_each_status(self, order: Order, path: Sequence[str]) -> int:
        at = order.date
        for status in path:
            if order.statuses:
                at = min(at + self._rnd.randint(*self._pace.step), self._until)
            order.statuses = [(status, at), *order.statuses]
            order.date = at
            self._send_version(order, at)
        return at

    def _ending_at(self, path: Sequence[str], at: int) -> list[tuple[str, int]]:
        """Return the statuses of an order that is first heard of when it is through."""
        bits = self._rnd.getrandbits(44)
        statuses = []
        for status in reversed(path):
            statuses.append((status, at))
            at -= 5 * MINUTE + (bits & 2047)
            bits >>= 11
        return statuses

    def _correct(self, order: Order, at: int) -> int:
        order.lines = self._other_lines(order)
        return self._tell_later(order, order.statuses[0][0], at)

    def _change_guest(self, order: Order, at: int) -> int:
        guest = self._world.pick_guest(self._rnd)
        order.user_id = guest.id
        if self._rnd.random() < 0.3:
            restaurant, tastes = self._world.pick_restaurant(self._rnd, guest)
            order.restaurant_id = restaurant.id
            order.lines = self._world.basket(self._rnd, restaurant, tastes)
        return self._tell_later(order, order.statuses[0][0], at)

    def _tell_later(self, order: Order, status: str, at: int) -> int:
        at = self._afterwards(at)
        if status != order.statuses[0][0]:
            order.statuses = [(status, at), *order.statuses]
        if self._rnd.random() < 0.5:
            order.date = at
        self._send_version(order, at)
        return at

    def _other_lines(self, order: Order) -> tuple[Line, ...]:
        restaurant = self._world.restaurant(order.restaurant_id)
        for favourite, tastes in self._world.guest(order.user_id).tastes:
            if favourite is restaurant:
                return self._world.basket(self._rnd, restaurant, tastes)
        return order.lines[:-1]

    def _send_version(self, order: Order, at: int) -> None:
        """Send the version ``at``, with the scenario's errors."""
        chance, share = self._rnd.random, self._scenario
        send_at = min(at + self._rnd.randint(*self._pace.send), self._until)
        if share.out_of_order and chance() < share.out_of_order:
            send_at = self._afterwards(send_at)
        message = self._messages.good(order, at, send_at)
        self.push(message)
        if share.ties and chance() < share.ties:
            self._tie(order, at, send_at)
        if share.duplicates and chance() < share.duplicates:
            self.push(message._replace(at=self._afterwards(send_at)))
        if share.junk and chance() < share.junk:
            self.push(self._messages.refused(order, at + 1, send_at))

    def _tie(self, order: Order, at: int, send_at: int) -> None:
        """Send another version of the same time: the other ranks have to decide."""
        status = self._rnd.choice(("CLOSED", "CLOSED", "CANCELLED"))
        tie = replace(
            order,
            lines=self._other_lines(order),
            statuses=[(status, at), *order.statuses[1:]],
        )
        sent, later = self._rnd.choice(((True, 0), (True, 1), (False, 0)))
        send_at = min(send_at + later, self._until)
        self.push(self._messages.good(tie, at, send_at, sent))

    def _afterwards(self, at: int) -> int:
        return min(at + self._rnd.randint(*self._pace.afterwards), self._until)

"""Some months of generated orders in a warehouse, and what they are by hand.

What analysts are told is compared with this. It shares the simulator's messages with
the warehouse, and none of its SQL.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property

import psycopg

from palate.settings import Settings
from palate.simulate import model
from palate.simulate.generate import generate, initial_entries
from palate.simulate.menus import Menus
from palate.simulate.scenario import Scenario
from palate.simulate.world import World
from tests.integration.staged import (
    load,
    set_rules,
    stage_entries,
    stage_messages,
    with_topics,
)
from tests.model.history import FORMS, Entry, Message, Rule
from tests.model.oracle import newest_versions
from tests.model.orders import CLOSED, Version, read_message

_GUESTS_WHO_STOP = 3
_SHARE_WITHOUT_THEM = 0.4  # of the days, the last ones


@dataclass(frozen=True)
class Line:
    """A line of an order; ``name`` and ``category`` are what the warehouse shows."""

    product_id: str
    name: str | None
    category: str | None
    quantity: int
    price: Decimal


@dataclass(frozen=True)
class Order:
    """An order by its newest version."""

    order_id: int
    order_dt: datetime
    user_id: str
    restaurant_id: str
    status: str
    cost: Decimal
    payment: Decimal
    lines: tuple[Line, ...]

    @property
    def products(self) -> set[str]:
        """The dishes that the order has, each once."""
        return {line.product_id for line in self.lines}

    @property
    def categories(self) -> set[str]:
        """The known categories of its dishes, each once."""
        return {line.category for line in self.lines if line.category is not None}


class Season:
    """Orders of some months, with all difficulties; a few guests stop coming."""

    def __init__(
        self, orders: int, days: int, until: datetime, world: World | None = None
    ) -> None:
        """Generate the messages and the dictionary's entries.

        :param until: when the last order is; UTC
        :param world: whose dishes and guests; it is changed
        """
        world = world or World(seed=7)
        scenario, end = Scenario.demo(), int(until.timestamp())
        self._entries = list(initial_entries(world, scenario, end, days))
        self._messages: list[Message] = []
        self._ends: Counter[str] = Counter()
        stopping = {guest.id for guest in world.guests[:_GUESTS_WHO_STOP]}
        since = end - int(days * 86_400 * _SHARE_WITHOUT_THEM)
        for event in generate(world, scenario, orders, end, days):
            if isinstance(event, model.Arrival):
                self._entries.append(event.entry)
            elif event.at < since or not _is_of(event, stopping):
                self._add(event)

    def fill(self, settings: Settings, rules: Iterable[Rule] = ()) -> None:
        """Stage everything and load it, without broker and Redis."""
        settings = with_topics(settings)
        with psycopg.connect(settings.dwh_dsn.get_secret_value()) as conn:
            stage_messages(conn, self._messages)
            set_rules(conn, rules)
        entries = (Entry(one.id, one.to_json().encode()) for one in self._entries)
        stage_entries(settings, entries)
        load(settings)

    @cached_property
    def orders(self) -> list[Order]:
        """All orders, by number."""
        menus = Menus(self._entries)
        dates: dict[int, list[datetime]] = {}
        for version in self._versions:
            dates.setdefault(version.order_id, []).append(version.date)
        return [
            self._order(newest, min(dates[newest.order_id]), menus)
            for newest in sorted(
                newest_versions(self._versions), key=lambda one: one.order_id
            )
        ]

    @property
    def closed(self) -> list[Order]:
        """Those that count."""
        return [order for order in self.orders if order.status == CLOSED]

    @cached_property
    def dish_names(self) -> dict[str, str]:
        """What each dish is called now: by the menus, else by the newest order."""
        named = {
            line.product_id: line.name
            for version in self._versions
            for line in version.lines
            if line.name is not None
        }
        return named | Menus(self._entries).names()

    @cached_property
    def guest_names(self) -> dict[str, str]:
        """What each guest is called now: by the dictionary, else by an order."""
        ordered = {
            version.user_id: version.user_name
            for version in self._versions
            if version.user_name is not None
        }
        return ordered | self._names(with_menu=False)

    @cached_property
    def restaurant_names(self) -> dict[str, str]:
        """What each restaurant is called now, by the dictionary."""
        return self._names(with_menu=True)

    def _names(self, with_menu: bool) -> dict[str, str]:
        oldest_first = sorted(self._entries, key=lambda entry: entry.version_dt)
        return {
            entry.id: entry.name
            for entry in oldest_first
            if (entry.menu is not None) == with_menu
        }

    @cached_property
    def _versions(self) -> list[Version]:
        """Every accepted message, the newest last."""
        read = [read_message(one, FORMS[one.topic]) for one in self._messages]
        accepted = [one for one in read if isinstance(one, Version)]
        return sorted(accepted, key=lambda version: version.rank)

    def _order(self, version: Version, order_dt: datetime, menus: Menus) -> Order:
        at = order_dt.strftime("%Y-%m-%d %H:%M:%S")
        lines = tuple(
            Line(
                line.product_id,
                self.dish_names.get(line.product_id),
                line.category
                if line.category is not None
                else menus.category_at(line.product_id, at),
                line.quantity,
                line.price,
            )
            for line in version.lines
        )
        return Order(
            version.order_id,
            order_dt,
            version.user_id,
            version.restaurant_id,
            version.status,
            version.cost,
            version.payment,
            lines,
        )

    def _add(self, sent: model.Message) -> None:
        broker_dt, offset = datetime.fromtimestamp(sent.at, UTC), self._ends[sent.topic]
        self._ends[sent.topic] += 1
        self._messages.append(Message(sent.topic, 0, 0, offset, broker_dt, sent.value))


def _is_of(message: model.Message, guests: set[str]) -> bool:
    return message.version is not None and message.version.user_id in guests

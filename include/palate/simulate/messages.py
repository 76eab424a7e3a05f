"""The messages of an order."""

import random
from dataclasses import dataclass

from palate.simulate import junk, render
from palate.simulate.clock import to_text
from palate.simulate.model import Line, Message, Version
from palate.simulate.world import World

_WITHOUT_CATEGORIES = 1 / 16
_WITHOUT_LOGIN = 1 / 5
_WITHOUT_NUMBER = 1 / 5
_JUNK_ENRICHED = 1 / 3


@dataclass(frozen=True)
class Topics:
    """Where each form of message goes."""

    raw: str = "order-service_orders"
    enriched: str = "stg-service-orders"


@dataclass
class Order:
    """An order in its next version; times in seconds since 1970 UTC."""

    id: int
    user_id: str
    restaurant_id: str
    lines: tuple[Line, ...]
    date: int
    statuses: list[tuple[str, int]]
    """the newest first"""


class Messages:
    """Makes messages in both forms, and those that must be refused."""

    def __init__(
        self, world: World, rnd: random.Random, topics: Topics, enriched: float
    ) -> None:
        """Take names and categories from ``world`` as they are when a message is made.

        :param enriched: the share of messages in the enriched form
        """
        self._world = world
        self._rnd = rnd
        self._topics = topics
        self._share = enriched

    def good(self, order: Order, at: int, send_at: int, sent: bool = True) -> Message:
        """Return the message of the version ``at``.

        :param sent: whether the message of the raw form says when it was sent
        """
        if self._share and self._rnd.random() < self._share:
            version, value = self._enriched(order, at)
            return Message(send_at, self._topics.enriched, value, version, None)
        version, value = self._raw(order, at, to_text(send_at) if sent else None)
        return Message(send_at, self._topics.raw, value, version, None)

    def refused(self, order: Order, at: int, send_at: int) -> Message:
        """Return a message that must be refused, in place of the version ``at``."""
        if self._share and self._rnd.random() < _JUNK_ENRICHED:
            _, good = self._enriched(order, at)
            value, reason = junk.refused_enriched(self._rnd, good)
            return Message(send_at, self._topics.enriched, value, None, reason)
        _, good = self._raw(order, at, to_text(send_at))
        value, reason = junk.refused(self._rnd, good)
        return Message(send_at, self._topics.raw, value, None, reason)

    def _raw(self, order: Order, at: int, sent_dt: str | None) -> tuple[Version, bytes]:
        version = Version(
            order.id,
            to_text(at),
            sent_dt,
            to_text(order.date),
            order.user_id,
            order.restaurant_id,
            order.statuses[0][0],
            order.lines,
        )
        statuses = [(status, to_text(when)) for status, when in order.statuses]
        bonus = 0
        if order.lines and self._rnd.getrandbits(3) == 0:
            bonus = int(order.lines[0].price) // 10
        return version, render.raw(version, statuses, bonus)

    def _enriched(self, order: Order, at: int) -> tuple[Version, bytes]:
        world, chance = self._world, self._rnd.random
        restaurant = world.restaurant(order.restaurant_id)
        guest = world.guest(order.user_id)
        lines = order.lines
        if chance() >= _WITHOUT_CATEGORIES:
            lines = tuple(
                line._replace(category=world.category(restaurant.id, line.product_id))
                for line in lines
            )
        # The enriched form has no other version time than the date.
        version = Version(
            order.id,
            to_text(at),
            None,
            to_text(at),
            guest.id,
            restaurant.id,
            order.statuses[0][0],
            lines,
        )
        login = guest.login if chance() >= _WITHOUT_LOGIN else None
        number = chance() >= _WITHOUT_NUMBER
        return version, render.enriched(
            version, restaurant.name, guest.name, login, number
        )

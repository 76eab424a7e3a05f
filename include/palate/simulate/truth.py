"""What the marts and tags must be, computed from what was sent (contract, section 4).

Plain and slow on purpose: it decides whether the pipeline is right, so it must be easy
to see that it is right itself.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import NamedTuple
from uuid import UUID, uuid5

from palate.simulate.menus import Menus
from palate.simulate.model import Entry, Line, Message, Money, Position, Version

NAMESPACE = UUID("7f288a2e-0ad0-4039-8e59-6c9838d87307")

Rank = tuple[str, str, int, Position]


class ProductCounter(NamedTuple):
    """A row of ``cdm.user_product_counters``."""

    user_id: UUID
    product_id: UUID
    product_name: str | None
    order_cnt: int
    pieces_cnt: int
    amount: Decimal


class CategoryCounter(NamedTuple):
    """A row of ``cdm.user_category_counters``."""

    user_id: UUID
    category_id: UUID
    category_name: str
    order_cnt: int
    pieces_cnt: int
    amount: Decimal


class TagRule(NamedTuple):
    """A rule of ``cdm.tag_rules`` that is switched on."""

    kind: str
    name: str
    threshold: int
    tag: str


class _Order(NamedTuple):
    rank: Rank
    order_dt: str
    user_id: str
    lines: tuple[Line, ...]
    """empty unless the newest version is CLOSED: then nothing else counts"""


class Truth:
    """Collects what was sent, in any order.

    Memory grows with orders, not with versions: about 1 KB for each.
    """

    def __init__(self) -> None:
        self._orders: dict[int, _Order] = {}
        self._ordered_names: dict[str, tuple[Rank, str]] = {}
        self._entries: dict[tuple[str, str], Entry] = {}
        self._refused: dict[Position, str] = {}
        self._offsets: dict[tuple[str, int], array[int]] = {}

    def add(self, message: Message, position: Position, broker_ms: int) -> None:
        """Add a message and its position.

        :param broker_ms: the record's timestamp in milliseconds since 1970 UTC
        """
        if message.version is not None:
            self.add_message(message.version, position, broker_ms)
        else:
            self.add_refused(message.reason or "", position)

    def add_message(self, version: Version, position: Position, broker_ms: int) -> None:
        """Add a version of an order; ``broker_ms`` as for ``add``."""
        self._sent(position)
        rank = (version.version_dt, version.sent_dt or "", broker_ms, position)
        for line in version.lines:
            known = self._ordered_names.get(line.product_id)
            if line.name is not None and (known is None or rank >= known[0]):
                self._ordered_names[line.product_id] = (rank, line.name)
        other = self._orders.get(version.order_id)
        if other is None or rank > other.rank:
            self._orders[version.order_id] = _Order(
                rank,
                min(version.date, other.order_dt) if other else version.date,
                version.user_id,
                version.lines if version.status == "CLOSED" else (),
            )
        elif version.date < other.order_dt:
            self._orders[version.order_id] = other._replace(order_dt=version.date)

    def add_refused(self, reason: str, position: Position) -> None:
        """Add a message that must be refused for that reason."""
        self._sent(position)
        self._refused[position] = reason

    def add_entry(self, entry: Entry) -> None:
        """Add an entry; of two of one id and time the one added later counts."""
        self._entries[entry.id, entry.version_dt] = entry

    def product_counters(self) -> list[ProductCounter]:
        """Return the rows of ``cdm.user_product_counters``, sorted by their keys."""
        names = {product: name for product, (_, name) in self._ordered_names.items()}
        names |= Menus(self._entries.values()).names()
        totals = self._totals(lambda _, line: line.product_id)
        rows = [
            ProductCounter(
                key_of(user_id),
                key_of(product_id),
                names.get(product_id),
                total.orders,
                total.pieces,
                total.amount,
            )
            for (user_id, product_id), total in totals.items()
        ]
        return sorted(rows, key=_by_key)

    def category_counters(self) -> list[CategoryCounter]:
        """Return the rows of ``cdm.user_category_counters``, sorted by their keys."""
        menus = Menus(self._entries.values())

        def category_of(order: _Order, line: Line) -> str | None:
            if line.category is not None:
                return line.category
            return menus.category_at(line.product_id, order.order_dt)

        totals = self._totals(category_of)
        rows = [
            CategoryCounter(
                key_of(user_id),
                key_of(category),
                category,
                total.orders,
                total.pieces,
                total.amount,
            )
            for (user_id, category), total in totals.items()
        ]
        return sorted(rows, key=_by_key)

    def rejected(self) -> dict[str, int]:
        """Return how many messages must be refused, by reason."""
        return dict(sorted(Counter(self._refused.values()).items()))

    @property
    def refused(self) -> dict[Position, str]:
        """Which messages must be refused, and why."""
        return self._refused

    def sent(self) -> dict[tuple[str, int], "array[int]"]:
        """Return the offsets of all messages by topic and partition, sorted."""
        for partition, offsets in self._offsets.items():
            self._offsets[partition] = array("q", sorted(offsets))
        return self._offsets

    def has_sent(self, position: Position) -> bool:
        """Return whether a message of that position was added; after ``sent()``."""
        offsets = self._offsets.get((position.topic, position.partition))
        if not offsets:
            return False
        place = bisect_left(offsets, position.offset)
        return place < len(offsets) and offsets[place] == position.offset

    def ids(self) -> Iterator[str]:
        """Return the users' and dishes' own ids, for whom a hub key says nothing."""
        for order in self._orders.values():
            yield order.user_id
        yield from self._ordered_names

    def _totals(
        self, thing_of: Callable[[_Order, Line], str | None]
    ) -> dict[tuple[str, str], "_Total"]:
        """Return what each user has had of each thing, an order counting once."""
        totals: dict[tuple[str, str], _Total] = {}
        for order in self._orders.values():
            within: dict[str, _Total] = {}
            for line in order.lines:
                thing = thing_of(order, line)
                if thing is not None:
                    within.setdefault(thing, _Total()).add(line)
            for thing, total in within.items():
                totals.setdefault((order.user_id, thing), _Total()).add_order(total)
        return totals

    def _sent(self, position: Position) -> None:
        partition = (position.topic, position.partition)
        self._offsets.setdefault(partition, array("q")).append(position.offset)


def held_tags(
    rules: Iterable[TagRule],
    products: Iterable[ProductCounter],
    categories: Iterable[CategoryCounter],
) -> set[tuple[UUID, str]]:
    """Return which users hold which tags: one rule is enough, dishes count alone."""
    counted: dict[tuple[str, str | None], list[tuple[int, UUID]]] = {}
    for product in products:
        key = ("product", product.product_name)
        counted.setdefault(key, []).append((product.order_cnt, product.user_id))
    for category in categories:
        key = ("category", category.category_name)
        counted.setdefault(key, []).append((category.order_cnt, category.user_id))
    return {
        (user_id, rule.tag)
        for rule in rules
        for order_cnt, user_id in counted.get((rule.kind, rule.name), [])
        if order_cnt >= rule.threshold
    }


class _Total:
    """What a user has had of one thing."""

    __slots__ = ("_amount", "orders", "pieces")

    def __init__(self) -> None:
        self.orders = 0
        self.pieces = 0
        self._amount: Money = 0

    @property
    def amount(self) -> Decimal:
        return Decimal(self._amount)

    def add(self, line: Line) -> None:
        self.pieces += line.quantity
        self._amount += line.price * line.quantity

    def add_order(self, within: "_Total") -> None:
        self.orders += 1
        self.pieces += within.pieces
        self._amount += within._amount


def _by_key(row: ProductCounter | CategoryCounter) -> tuple[int, int]:
    # As the UUIDs compare, without a call of Python for each comparison.
    return row[0].int, row[1].int


@cache
def key_of(business_key: str) -> UUID:
    """Return the hub key of a business key."""
    return uuid5(NAMESPACE, business_key)

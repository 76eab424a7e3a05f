"""What the simulator sends, as plain values."""

import json
from decimal import Decimal
from typing import Any, NamedTuple

Money = int | Decimal


class Line(NamedTuple):
    """A line of an order. ``name`` and ``category`` are None where it gives none."""

    product_id: str
    name: str | None
    category: str | None
    price: Money
    quantity: int


class Version(NamedTuple):
    """One version of an order. Times are ``YYYY-MM-DD HH:MM:SS``, which sort as text.

    ``version_dt`` is the raw form's ``update_ts``, the enriched form's ``date``.
    """

    order_id: int
    version_dt: str
    sent_dt: str | None
    date: str
    user_id: str
    restaurant_id: str
    status: str
    lines: tuple[Line, ...]


class Message(NamedTuple):
    """A message for Kafka, and what is known of it.

    Exactly one of ``version`` and ``reason`` is set: what the message says, or why it
    must be refused. ``at`` is when the world sends it, in seconds since 1970 UTC.
    """

    at: int
    topic: str
    value: bytes | None
    version: Version | None
    reason: str | None


class Position(NamedTuple):
    """The position of a message in Kafka."""

    topic: str
    partition: int
    offset: int


class MenuLine(NamedTuple):
    """A dish on a menu. ``category`` is None where the line has none."""

    product_id: str
    name: str
    price: Money
    category: str | None


class Entry(NamedTuple):
    """A dictionary entry; with a menu it is a restaurant, else a user."""

    id: str
    version_dt: str
    name: str
    login: str | None
    menu: tuple[MenuLine, ...] | None

    def to_json(self) -> str:
        """Return the value that Redis holds under the key ``id``."""
        entry: dict[str, Any] = {"_id": self.id, "name": self.name}
        if self.login is not None:
            entry["login"] = self.login
        entry["update_ts_utc"] = self.version_dt
        if self.menu is not None:
            entry["menu"] = [_menu_line(line) for line in self.menu]
        return json.dumps(entry, ensure_ascii=False)


class Arrival(NamedTuple):
    """An entry that turns up in Redis at ``at``, in seconds since 1970 UTC."""

    at: int
    entry: Entry


Event = Message | Arrival


def money_json(money: Money) -> int | float:
    """Return an amount of money for ``json.dumps``; exact for prices of the world."""
    return money if isinstance(money, int) else float(money)


def _menu_line(line: MenuLine) -> dict[str, Any]:
    menu_line: dict[str, Any] = {
        "_id": line.product_id,
        "name": line.name,
        "price": money_json(line.price),
    }
    if line.category is not None:
        menu_line["category"] = line.category
    return menu_line

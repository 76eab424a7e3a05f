"""Order messages for the benchmarks: message number n is always the same bytes.

The first ``FIRST`` messages are new orders. Of every 20 later ones 17 are new orders, 2
new versions of any older order and 1 an exact duplicate. Guests grow with the orders,
to 25 orders each; 2,000 dishes; 3.2 lines an order.
"""

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST = 50_000
PARTITIONS = 3

_BLOCK, _NEW_IN_BLOCK = 20, 17
_ORDERS_PER_GUEST = 25
_RESTAURANTS, _DISHES_PER_MENU, _CATEGORIES = 40, 50, 10
_LINES = (1, 2, 3, 4, 6)
_START = datetime(2022, 1, 1)
_BETWEEN_ORDERS = timedelta(seconds=12)
_DUPLICATED_WITHIN = 1_000


def message(number: int) -> bytes:
    """Return the message of that number, as it is on the topic."""
    if number < FIRST:
        return _render(number, number, random.Random(number))
    block, index = divmod(number - FIRST, _BLOCK)
    orders = FIRST + block * _NEW_IN_BLOCK
    if index < _NEW_IN_BLOCK:
        order = orders + index
        return _render(order, order, random.Random(order))
    chance = random.Random(-number)
    if index == _BLOCK - 1:
        return message(number - 1 - chance.randrange(_DUPLICATED_WITHIN))
    return _new_version(chance.randrange(orders), orders, chance)


def of_regular(number: int) -> bytes:
    """Return a new order, of guests who each place all of theirs in sequence.

    So the orders of a period belong to as many guests, and these have as many orders,
    however long the history before them is.
    """
    guest = number // _ORDERS_PER_GUEST
    return _render(number, number, random.Random(number), guest=guest)


def messages_for(orders: int) -> int:
    """Return how many messages it takes until that many orders exist."""
    if orders <= FIRST:
        return orders
    blocks, rest = divmod(orders - FIRST, _NEW_IN_BLOCK)
    return FIRST + blocks * _BLOCK + rest


def position(number: int) -> tuple[int, int]:
    """Return the partition and the offset of a message."""
    return number % PARTITIONS, number // PARTITIONS


def ends(messages: int) -> dict[int, int]:
    """Return the end offset of each partition after that many messages."""
    return {
        partition: (messages - partition + PARTITIONS - 1) // PARTITIONS
        for partition in range(PARTITIONS)
    }


def sent_at(number: int) -> datetime:
    """Return the broker time of a message that is staged without a broker."""
    return _START + _BETWEEN_ORDERS * number + timedelta(days=7)


def made_at(order: int) -> str:
    """Return when an order of that number was placed, as messages write it."""
    return f"{_START + _BETWEEN_ORDERS * order:%F %T}"


def first_dishes() -> list[str]:
    """Return the id of the first dish of each menu."""
    return [_id("dish", _menu(number)[0]) for number in range(_RESTAURANTS)]


def guests(order: int) -> int:
    """Return how many guests exist when an order of that number comes."""
    return max(order, FIRST) // _ORDERS_PER_GUEST


def dictionary(orders: int) -> Iterator[tuple[str, str]]:
    """Yield (key, entry) of all restaurants, and of the guests of that many orders."""
    for restaurant in range(_RESTAURANTS):
        menu = [
            {
                "_id": _id("dish", dish),
                "name": _dish_name(dish),
                "price": _price(dish),
                "category": _category(dish),
            }
            for dish in _menu(restaurant)
        ]
        key = _id("restaurant", restaurant)
        yield _entry(key, f"Ресторан {restaurant}", menu=menu)
    for guest in range(guests(orders)):
        key = _id("guest", guest)
        yield _entry(key, f"Гость {guest}", login=f"guest_{guest}")


def _entry(key: str, name: str, **fields: Any) -> tuple[str, str]:
    entry = {"_id": key, "name": name, "update_ts_utc": f"{_START:%F %T}"} | fields
    return key, json.dumps(entry)


@dataclass(frozen=True)
class LiveOrder:
    """A closed order of one dish, made now, and the business keys it names."""

    message: bytes
    keys: dict[str, str]


def live_order(guest: int, chance: random.Random) -> LiveOrder:
    """Return an order, beside the numbered ones, of a known guest."""
    restaurant = chance.randrange(_RESTAURANTS)
    dish = chance.choice(_menu(restaurant))
    made = f"{datetime.now(UTC):%F %T}"
    payload = {
        "restaurant": {"id": _id("restaurant", restaurant)},
        "date": made,
        "user": {"id": _id("guest", guest)},
        "order_items": [json.loads(_ITEMS[dish] + ', "quantity": 1}')],
        "cost": _price(dish),
        "payment": _price(dish),
        "final_status": "CLOSED",
        "update_ts": made,
    }
    order = {"object_id": time.time_ns(), "object_type": "order", "payload": payload}
    keys = {
        "guest": _id("guest", guest),
        "dish": _id("dish", dish),
        "category": _category(dish),
    }
    return LiveOrder(json.dumps(order).encode(), keys)


def _new_version(order: int, orders: int, chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.1:  # late: older than what is known
        return _render(order, order - 5, random.Random(order))
    if kind < 0.55:
        return _render(order, orders, random.Random(order), status="CANCELLED")
    return _render(order, orders, random.Random(order), lines=chance)


def _render(
    order: int,
    changed: int,
    chance: random.Random,
    *,
    lines: random.Random | None = None,
    status: str = "CLOSED",
    guest: int | None = None,
) -> bytes:
    """Return an order as it was when order number ``changed`` was made."""
    anybody = chance.randrange(guests(order))
    guest = anybody if guest is None else guest
    restaurant = chance.randrange(_RESTAURANTS)
    if lines:
        chance = lines
    cost = 0
    items = []
    for dish in chance.choices(_menu(restaurant), k=chance.choice(_LINES)):
        quantity = chance.randrange(1, 6)
        cost += _price(dish) * quantity
        items.append(f'{_ITEMS[dish]}, "quantity": {quantity}}}')
    made = _START + _BETWEEN_ORDERS * min(order, changed)
    update = _START + _BETWEEN_ORDERS * changed
    return (
        f'{{"object_id": {order + 1_000_000}, "object_type": "order",'
        f' "sent_dttm": "{update + timedelta(days=3)}", "payload": {{'
        f'"restaurant": {{"id": "{_id("restaurant", restaurant)}"}},'
        f' "date": "{made}", "user": {{"id": "{_id("guest", guest)}"}},'
        f' "order_items": [{", ".join(items)}], "bonus_payment": 0, "cost": {cost},'
        f' "payment": {cost}, "bonus_grant": 0, "statuses": ['
        f'{{"status": "{status}", "dttm": "{update}"}},'
        f' {{"status": "DELIVERING", "dttm": "{made - timedelta(minutes=9)}"}},'
        f' {{"status": "COOKING", "dttm": "{made - timedelta(minutes=40)}"}},'
        f' {{"status": "OPEN", "dttm": "{made - timedelta(minutes=55)}"}}],'
        f' "final_status": "{status}", "update_ts": "{update}"}}}}'
    ).encode()


def categories() -> list[str]:
    """Return the names of all categories."""
    return [_category(number) for number in range(_CATEGORIES)]


def _menu(restaurant: int) -> range:
    return range(restaurant * _DISHES_PER_MENU, (restaurant + 1) * _DISHES_PER_MENU)


def _dish_name(dish: int) -> str:
    return f"Блюдо номер {dish}"


def _category(dish: int) -> str:
    return f"Категория {dish % _CATEGORIES}"


def _price(dish: int) -> int:
    return 50 + dish * 7 % 19 * 50


def _id(kind: str, number: int) -> str:
    """Return 24 hexadecimal digits that don't ascend with the number."""
    low = (number + 1) * 0x9E3779B97F4A7C15 % 2**64
    return f"{_KINDS[kind]:08x}{low:016x}"


_KINDS = {"guest": 0x626A81CE, "restaurant": 0xA51E4E31, "dish": 0xC5B64C8B}
# A line of an order, without its quantity.
_ITEMS = [
    json.dumps(
        {"id": _id("dish", dish), "name": _dish_name(dish), "price": _price(dish)}
    ).removesuffix("}")
    for dish in range(_RESTAURANTS * _DISHES_PER_MENU)
]

"""The bytes of order messages (contract, sections 1 and 2)."""

import json
from collections.abc import Sequence
from functools import lru_cache

from palate.simulate.model import Line, Money, Version, money_json

Statuses = Sequence[tuple[str, str]]


def raw(version: Version, statuses: Statuses, bonus_payment: int = 0) -> bytes:
    """Return the message of the raw form.

    Joins prepared pieces, since ``json.dumps`` of the whole would take most of the
    time that a message takes.

    :param statuses: pairs of status and time, the newest first
    """
    sent = f'"sent_dttm": "{version.sent_dt}", ' if version.sent_dt else ""
    cost = cost_of(version.lines)
    lines = ", ".join(map(_raw_line, version.lines))
    history = ", ".join(
        [f'{{"status": "{status}", "dttm": "{at}"}}' for status, at in statuses]
    )
    return (
        f'{{"object_id": {version.order_id}, "object_type": "order", {sent}"payload": '
        f'{{"restaurant": {{"id": "{version.restaurant_id}"}}, '
        f'"date": "{version.date}", "user": {{"id": "{version.user_id}"}}, '
        f'"order_items": [{lines}], "bonus_payment": {bonus_payment}, '
        f'"cost": {cost}, "payment": {cost - bonus_payment}, "bonus_grant": 0, '
        f'"statuses": [{history}], "final_status": "{version.status}", '
        f'"update_ts": "{version.version_dt}"}}}}'
    ).encode("ascii")


def enriched(
    version: Version, restaurant: str, user: str, login: str | None, number: bool
) -> bytes:
    """Return the message of the enriched form.

    :param restaurant: the restaurant's name, as ``user`` and ``login`` are the user's
    :param number: whether the payload repeats the order's number
    """
    cost = cost_of(version.lines)
    guest = {"id": version.user_id, "name": user}
    if login is not None:
        guest["login"] = login
    payload = {
        "date": version.date,
        "cost": money_json(cost),
        "payment": money_json(cost),
        "status": version.status,
        "restaurant": {"id": version.restaurant_id, "name": restaurant},
        "user": guest,
        "products": [_product(line) for line in version.lines],
    }
    if number:
        payload = {"id": version.order_id, **payload}
    message = {
        "object_id": version.order_id,
        "object_type": "order",
        "payload": payload,
    }
    return json.dumps(message).encode("ascii")


def cost_of(lines: Sequence[Line]) -> Money:
    """Return what the lines cost together."""
    cost: Money = 0
    for line in lines:
        cost += line.price * line.quantity
    return cost


@lru_cache(maxsize=1 << 17)
def _raw_line(line: Line) -> str:
    name = f'"name": {json.dumps(line.name)}, ' if line.name is not None else ""
    return (
        f'{{"id": "{line.product_id}", {name}"price": {line.price}, '
        f'"quantity": {line.quantity}}}'
    )


def _product(line: Line) -> dict[str, object]:
    product: dict[str, object] = {
        "id": line.product_id,
        "price": money_json(line.price),
        "quantity": line.quantity,
    }
    if line.name is not None:
        product["name"] = line.name
    if line.category is not None:
        product["category"] = line.category
    return product

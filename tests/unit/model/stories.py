"""Short ways to write messages and dictionary entries by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.model.history import (
    ENRICHED_TOPIC,
    FORMS,
    RAW_TOPIC,
    Entry,
    History,
    Message,
)
from tests.model.oracle import warehouse
from tests.model.orders import Version, read_message
from tests.model.render import Literal, text
from tests.model.tables import Tables

DAY_1, DAY_2, DAY_3, DAY_4 = (f"2023-08-0{day} 10:00:00" for day in (1, 2, 3, 4))
BROKER_DT = datetime(2023, 8, 9, tzinfo=UTC)


def at(time: str) -> datetime:
    """Return a time of the business."""
    return datetime.strptime(time, "%Y-%m-%d %H:%M:%S")


def line(
    product_id: str, quantity: int = 1, price: str = "100", **more: Any
) -> dict[str, Any]:
    """Return a line of an order."""
    return {"id": product_id, "quantity": quantity, "price": Literal(price), **more}


def raw(
    order_id: int,
    lines: Sequence[Mapping[str, Any]] = (),
    *,
    offset: int = 0,
    topic: str = RAW_TOPIC,
    epoch: int = 0,
    partition: int = 0,
    broker_dt: datetime = BROKER_DT,
    user: str = "u",
    restaurant: str = "r",
    status: str = "CLOSED",
    date: str = DAY_1,
    update_ts: str = DAY_1,
    sent_dttm: str | None = None,
    cost: str = "100",
    payment: str = "90",
) -> Message:
    """Return a message of the raw form."""
    order = {
        "object_id": order_id,
        "object_type": "order",
        "sent_dttm": sent_dttm,
        "payload": {
            "restaurant": {"id": restaurant},
            "date": date,
            "user": {"id": user},
            "order_items": list(lines),
            "cost": Literal(cost),
            "payment": Literal(payment),
            "final_status": status,
            "update_ts": update_ts,
        },
    }
    value = text(order).encode()
    return Message(topic, epoch, partition, offset, broker_dt, value)


def enriched(
    order_id: int,
    lines: Sequence[Mapping[str, Any]] = (),
    *,
    offset: int = 0,
    user: Mapping[str, Any] | None = None,
    restaurant: Mapping[str, Any] | None = None,
    status: str = "CLOSED",
    date: str = DAY_1,
) -> Message:
    """Return a message of the enriched form."""
    order = {
        "object_id": order_id,
        "object_type": "order",
        "payload": {
            "id": order_id,
            "date": date,
            "cost": 100,
            "payment": 90,
            "status": status,
            "restaurant": restaurant or {"id": "r"},
            "user": user or {"id": "u"},
            "products": list(lines),
        },
    }
    value = text(order).encode()
    return Message(ENRICHED_TOPIC, 0, 0, offset, BROKER_DT, value)


def dish(product_id: str, name: str = "dish", **more: Any) -> dict[str, Any]:
    """Return a line of a menu; without ``category`` it gives none."""
    return {"_id": product_id, "name": name, "price": 100, **more}


def menu(
    restaurant: str, time: str, *lines: Any, name: str = "Restaurant", **more: Any
) -> Entry:
    """Return a restaurant's dictionary entry."""
    return entry(restaurant, name=name, update_ts_utc=time, menu=list(lines), **more)


def guest(user: str, time: str, name: str = "Guest", **more: Any) -> Entry:
    """Return a guest's dictionary entry."""
    return entry(user, name=name, update_ts_utc=time, **more)


def entry(key: str, **fields: Any) -> Entry:
    """Return a dictionary entry with these fields, and ``_id`` where not given."""
    return Entry(key, text({"_id": key, **fields}).encode())


def accepted(message: Message) -> Version:
    """Return the version that an accepted message is."""
    version = read_message(message, FORMS[message.topic])
    assert isinstance(version, Version), version
    return version


def tables(messages: Sequence[Message] = (), entries: Sequence[Entry] = ()) -> Tables:
    """Return the warehouse of a history."""
    return warehouse(History(tuple(messages), tuple(entries)))


def items(found: Tables) -> list[tuple[Any, ...]]:
    """Return v_order_item without its key."""
    return [row[1:] for row in found["dds.v_order_item"]]


def money(value: str) -> Decimal:
    """Return an amount."""
    return Decimal(value)

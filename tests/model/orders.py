"""One message: an accepted version of an order, or the reasons to refuse it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.model import fields
from tests.model.fields import Broken, optional, required
from tests.model.history import NO_TIME, Form, Message
from tests.model.jsonb import NotJson, Value, parse

CLOSED = "CLOSED"
ORIGIN_HEADER = "palate-origin"
MOST_VERSION_LEAD = timedelta(days=1)


@dataclass(frozen=True)
class Line:
    """A line of an order. ``category`` is None where the line names none."""

    product_id: str
    name: str | None
    category: str | None
    quantity: int
    price: Decimal


@dataclass(frozen=True)
class Version:
    """An accepted message: one version of an order. Times are UTC without a zone."""

    message: Message
    order_id: int
    version_dt: datetime
    sent_dttm: datetime | None
    date: datetime
    user_id: str
    user_name: str | None
    user_login: str | None
    restaurant_id: str
    restaurant_name: str | None
    status: str
    cost: Decimal
    payment: Decimal
    lines: tuple[Line, ...] = field(default=())

    @property
    def rank(self) -> tuple[Any, ...]:
        """What decides which version is newer: the greatest is the newest.

        The contract says "then to the greater (topic, partition, offset)" and no
        word of the epoch, so that comes last.
        """
        return (
            self.version_dt,
            (self.sent_dttm is not None, self.sent_dttm or datetime.min),
            self.message.broker_dt,
            self.message.topic.encode(),
            self.message.partition,
            self.message.offset,
            self.message.epoch,
        )


@dataclass(frozen=True)
class Refused:
    """A message that is no usable order, and every reason that may be named."""

    message: Message
    reasons: frozenset[str]


def read_message(message: Message, form: Form) -> Version | Refused:
    """Accept or refuse a message that came on a topic of this form.

    :raises Undecided: if its nesting is so deep that the server's settings decide
    """
    form = Form(form)  # another enum's "raw" will do
    is_own = any(name == ORIGIN_HEADER for name, _ in message.headers)
    broken: Broken = set()
    version = _read_value(message, form, broken)
    if is_own:
        broken.add(fields.OWN_MESSAGE)
    if version is None or broken:
        assert broken, "a message is refused for a reason"
        return Refused(message, frozenset(broken))
    return version


def _read_value(message: Message, form: Form, broken: Broken) -> Version | None:
    try:
        document = parse(message.value)
    except NotJson:
        broken.add(fields.NOT_JSON)
        return None
    if not isinstance(document, dict) or document.get("object_type") != "order":
        broken.add(fields.NOT_AN_ORDER)
        return None

    order_id = required(document, "object_id", fields.order_id, broken)
    payload = required(document, "payload", fields.an_object, broken) or {}
    restaurant = required(payload, "restaurant", fields.an_object, broken) or {}
    user = required(payload, "user", fields.an_object, broken) or {}
    restaurant_id = required(restaurant, "id", fields.short_text, broken)
    user_id = required(user, "id", fields.short_text, broken)
    date = required(payload, "date", fields.time, broken)
    cost = required(payload, "cost", fields.money, broken)
    payment = required(payload, "payment", fields.money, broken)

    restaurant_name = user_name = user_login = sent_dttm = None
    if form is Form.RAW:
        status = required(payload, "final_status", fields.short_text, broken)
        version_dt = required(payload, "update_ts", fields.time, broken)
        sent_dttm = optional(document, "sent_dttm", fields.time, broken)
        optional(payload, "bonus_payment", fields.money, broken)
        optional(payload, "bonus_grant", fields.money, broken)
        for told in optional(payload, "statuses", fields.objects, broken) or []:
            optional(told, "status", fields.short_text, broken)
            optional(told, "dttm", fields.time, broken)
        lines = _read_lines(payload, "order_items", form, broken)
    else:
        status = required(payload, "status", fields.short_text, broken)
        version_dt = date
        restaurant_name = optional(restaurant, "name", fields.long_text, broken)
        user_name = optional(user, "name", fields.long_text, broken)
        user_login = optional(user, "login", fields.long_text, broken)
        _check_payload_id(document.get("object_id"), payload.get("id"), broken)
        lines = _read_lines(payload, "products", form, broken)

    if version_dt is not None and message.broker_dt != NO_TIME:
        lead = version_dt.replace(tzinfo=UTC) - message.broker_dt
        if lead > MOST_VERSION_LEAD:
            broken.add(fields.IN_FUTURE)

    if (
        order_id is None
        or version_dt is None
        or date is None
        or user_id is None
        or restaurant_id is None
        or status is None
        or cost is None
        or payment is None
    ):
        return None
    return Version(
        message=message,
        order_id=order_id,
        version_dt=version_dt,
        sent_dttm=sent_dttm,
        date=date,
        user_id=user_id,
        user_name=user_name,
        user_login=user_login,
        restaurant_id=restaurant_id,
        restaurant_name=restaurant_name,
        status=status,
        cost=cost,
        payment=payment,
        lines=lines,
    )


def _read_lines(
    payload: dict[str, Value], name: str, form: Form, broken: Broken
) -> tuple[Line, ...]:
    lines = []
    for line in optional(payload, name, fields.objects, broken) or []:
        product_id = required(line, "id", fields.short_text, broken)
        price = required(line, "price", fields.money, broken)
        pieces = required(line, "quantity", fields.quantity, broken)
        product_name = optional(line, "name", fields.long_text, broken)
        category = None
        if form is Form.ENRICHED:
            category = optional(line, "category", fields.long_text, broken)
        if product_id is not None and price is not None and pieces is not None:
            lines.append(Line(product_id, product_name, category, pieces, price))
    return tuple(lines)


def _check_payload_id(object_id: Value, payload_id: Value, broken: Broken) -> None:
    if payload_id is None:
        return
    # In Python True == 1; in JSON a number never equals anything but a number.
    both_numbers = isinstance(object_id, Decimal) and isinstance(payload_id, Decimal)
    if not both_numbers or object_id != payload_id:
        broken.add(fields.WRONG_SHAPE)

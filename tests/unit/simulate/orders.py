"""Short ways to write what was sent by hand."""

from decimal import Decimal
from uuid import UUID, uuid5

from palate.simulate.model import Entry, Line, MenuLine, Position, Version
from palate.simulate.truth import Truth

RAW = "order-service_orders"
ENRICHED = "stg-service-orders"
DAY_1, DAY_2, DAY_3, DAY_4 = (f"2023-08-0{day} 10:00:00" for day in (1, 2, 3, 4))

_NAMESPACE = UUID("7f288a2e-0ad0-4039-8e59-6c9838d87307")


def key(business_key: str) -> UUID:
    return uuid5(_NAMESPACE, business_key)


def line(
    product_id: str = "lobio",
    price: int | Decimal = 350,
    quantity: int = 1,
    name: str | None = "Лобио",
    category: str | None = None,
) -> Line:
    return Line(product_id, name, category, price, quantity)


def version(
    *lines: Line,
    order_id: int = 1,
    at: str = DAY_1,
    sent: str | None = DAY_1,
    date: str = DAY_1,
    user: str = "olga",
    status: str = "CLOSED",
) -> Version:
    return Version(order_id, at, sent, date, user, "cafe", status, lines)


def menu(
    at: str, *dishes: tuple[str, str, str | None], restaurant: str = "cafe"
) -> Entry:
    lines = tuple(MenuLine(id_, name, 1, category) for id_, name, category in dishes)
    return Entry(restaurant, at, "Кафе", None, lines)


def truth(*told: Version | Entry) -> Truth:
    """Return a truth that was told all this; messages get the next offset."""
    result = Truth()
    for offset, one in enumerate(told):
        if isinstance(one, Entry):
            result.add_entry(one)
        else:
            result.add_message(one, Position(RAW, 0, offset), 1000 + offset)
    return result


def products(known: Truth) -> list[tuple[object, ...]]:
    """Return the product counters with ids that a person can read."""
    own = {key(id_): id_ for id_ in known.ids()}
    rows = known.product_counters()
    return sorted((own[row[0]], own[row[1]], *row[2:]) for row in rows)


def categories(known: Truth) -> list[tuple[object, ...]]:
    """Return the category counters with users that a person can read."""
    own = {key(id_): id_ for id_ in known.ids()}
    rows = known.category_counters()
    return sorted((own[row.user_id], *row[2:]) for row in rows)

"""Everything the contract's section 4 asks for, computed the slow way.

The tables' columns are in ``tables``; ``tags`` says what rules make of the counters.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, localcontext
from uuid import UUID, uuid5

from tests.model import dictionary
from tests.model.dictionary import UsableEntry, usable_entries
from tests.model.history import History
from tests.model.orders import CLOSED, Line, Refused, Version, read_message
from tests.model.tables import COLUMNS, REJECTED, TAGS, Row, Tables, in_order
from tests.model.tags import held

NAMESPACE = UUID("7f288a2e-0ad0-4039-8e59-6c9838d87307")


def warehouse(history: History) -> Tables:
    """Return every table and view that the contract names, filled from a history."""
    versions: list[Version] = []
    refused: list[Refused] = []
    for message in history.messages:
        outcome = read_message(message, history.forms[message.topic])
        if isinstance(outcome, Version):
            versions.append(outcome)
        else:
            refused.append(outcome)
    entries = usable_entries(history.entries)
    counters = _marts(versions, entries)

    tables: dict[str, Iterable[Row]] = {
        "stg.order_events": [
            (*message.position, message.broker_dt, message.value)
            for message in history.messages
        ],
        REJECTED: [(*one.message.position, one.reasons) for one in refused],
        "stg.dictionary_entries": [(e.id, e.version_dt, e.content) for e in entries],
        **_hubs(versions, entries),
        **_links(versions, entries),
        **_satellites(versions, entries),
        **_views(versions, entries),
        **counters,
        TAGS: held(counters, history.rules),
    }
    return {name: in_order(tables[name]) for name in COLUMNS}


def key(business_key: str | int) -> UUID:
    """Return the hub key of a business key."""
    return uuid5(NAMESPACE, str(business_key))


def newest_versions(versions: Iterable[Version]) -> list[Version]:
    """Return the newest version of each order."""
    newest: dict[int, Version] = {}
    for version in sorted(versions, key=lambda version: version.rank):
        newest[version.order_id] = version
    return list(newest.values())


def _hubs(
    versions: list[Version], entries: list[UsableEntry]
) -> dict[str, Iterable[Row]]:
    lines = [line for version in versions for line in version.lines]
    menu_lines = [line for entry in entries for line in entry.menu or ()]

    users = {version.user_id for version in versions}
    users |= {entry.id for entry in entries if entry.menu is None}
    restaurants = {version.restaurant_id for version in versions}
    restaurants |= {entry.id for entry in entries if entry.menu is not None}
    products = {line.product_id for line in lines}
    products |= {line.product_id for line in menu_lines}
    categories = {line.category for line in lines}
    categories |= {line.category for line in menu_lines}
    orders = {version.order_id for version in versions}
    return {
        "dds.h_user": {(key(user), user) for user in users},
        "dds.h_restaurant": {(key(one), one) for one in restaurants},
        "dds.h_product": {(key(product), product) for product in products},
        "dds.h_category": {
            (key(name), name) for name in categories if name is not None
        },
        "dds.h_order": {
            (key(order), order, _order_dt(versions, order)) for order in orders
        },
    }


def _links(
    versions: list[Version], entries: list[UsableEntry]
) -> dict[str, Iterable[Row]]:
    order_user, order_restaurant, order_product = set(), set(), set()
    product_restaurant, product_category = set(), set()
    for version in versions:
        order_user.add((key(version.order_id), key(version.user_id)))
        order_restaurant.add((key(version.order_id), key(version.restaurant_id)))
        for line in version.lines:
            order_product.add((key(version.order_id), key(line.product_id)))
            product_restaurant.add((key(line.product_id), key(version.restaurant_id)))
            if line.category is not None:
                product_category.add((key(line.product_id), key(line.category)))
    for entry in entries:
        for menu_line in entry.menu or ():
            product_restaurant.add((key(menu_line.product_id), key(entry.id)))
            if menu_line.category is not None:
                product_category.add(
                    (key(menu_line.product_id), key(menu_line.category))
                )
    return {
        "dds.l_order_user": order_user,
        "dds.l_order_restaurant": order_restaurant,
        "dds.l_order_product": order_product,
        "dds.l_product_restaurant": product_restaurant,
        "dds.l_product_category": product_category,
    }


def _satellites(
    versions: list[Version], entries: list[UsableEntry]
) -> dict[str, Iterable[Row]]:
    user_names, restaurant_names, product_names = set(), set(), set()
    order_cost, order_status = set(), set()
    for version in versions:
        at, order = version.version_dt, key(version.order_id)
        order_cost.add((order, at, version.cost, version.payment))
        order_status.add((order, at, version.status))
        if version.user_name is not None:
            user = key(version.user_id)
            user_names.add((user, at, version.user_name, version.user_login))
        if version.restaurant_name is not None:
            restaurant = key(version.restaurant_id)
            restaurant_names.add((restaurant, at, version.restaurant_name))
    for entry in entries:
        at = entry.version_dt
        if entry.menu is None:
            user_names.add((key(entry.id), at, entry.name, entry.login))
        else:
            restaurant_names.add((key(entry.id), at, entry.name))
            for line in entry.menu:
                product_names.add((key(line.product_id), at, line.name))
    return {
        "dds.s_user_names": user_names,
        "dds.s_restaurant_names": restaurant_names,
        "dds.s_product_names": product_names,
        "dds.s_order_cost": order_cost,
        "dds.s_order_status": order_status,
    }


def _views(
    versions: list[Version], entries: list[UsableEntry]
) -> dict[str, Iterable[Row]]:
    orders, items = [], []
    for version in newest_versions(versions):
        order_dt = _order_dt(versions, version.order_id)
        orders.append(
            (
                key(version.order_id),
                version.order_id,
                order_dt,
                version.user_id,
                version.restaurant_id,
                version.status,
                version.cost,
                version.payment,
                version.version_dt,
            )
        )
        for line in version.lines:
            items.append(
                (
                    key(version.order_id),
                    version.order_id,
                    line.product_id,
                    _product_name(versions, entries, line.product_id),
                    _category(entries, line, order_dt),
                    line.quantity,
                    line.price,
                )
            )
    return {"dds.v_order": orders, "dds.v_order_item": items}


def _marts(versions: list[Version], entries: list[UsableEntry]) -> dict[str, list[Row]]:
    by_product: dict[tuple[str, str], list[tuple[int, Line]]] = {}
    by_category: dict[tuple[str, str], list[tuple[int, Line]]] = {}
    for version in newest_versions(versions):
        if version.status != CLOSED:
            continue
        order_dt = _order_dt(versions, version.order_id)
        for line in version.lines:
            had = (version.order_id, line)
            by_product.setdefault((version.user_id, line.product_id), []).append(had)
            category = _category(entries, line, order_dt)
            if category is not None:
                by_category.setdefault((version.user_id, category), []).append(had)
    return {
        "cdm.user_product_counters": [
            (
                key(user),
                key(product),
                _product_name(versions, entries, product),
                *_counters(had),
            )
            for (user, product), had in by_product.items()
        ],
        "cdm.user_category_counters": [
            (key(user), key(category), category, *_counters(had))
            for (user, category), had in by_category.items()
        ],
    }


def _counters(had: list[tuple[int, Line]]) -> tuple[int, int, Decimal]:
    orders = {order for order, _ in had}
    pieces = sum(line.quantity for _, line in had)
    with localcontext() as context:
        context.prec = 200  # exact: no sum of prices has so many digits
        amount = sum((line.price * line.quantity for _, line in had), Decimal(0))
    return len(orders), pieces, amount


def _order_dt(versions: list[Version], order_id: int) -> datetime:
    return min(version.date for version in versions if version.order_id == order_id)


def _category(entries: list[UsableEntry], line: Line, order_dt: datetime) -> str | None:
    if line.category is not None:
        return line.category
    return dictionary.menu_category(entries, line.product_id, order_dt)


def _product_name(
    versions: list[Version], entries: list[UsableEntry], product_id: str
) -> str | None:
    in_menus = dictionary.menu_name(entries, product_id)
    if in_menus is not None:
        return in_menus
    # The newest version of any order that gives the dish a name, not merely has it.
    for version in sorted(versions, key=lambda version: version.rank, reverse=True):
        for line in reversed(version.lines):
            if line.product_id == product_id and line.name is not None:
                return line.name
    return None

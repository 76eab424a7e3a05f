"""The dictionaries: usable entries, and what they say about a dish at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tests.model import fields
from tests.model.fields import Broken
from tests.model.history import Entry
from tests.model.jsonb import NotJson, Value, canonical, parse


@dataclass(frozen=True)
class MenuLine:
    """A usable line of a menu. ``category`` is None where it gives the dish none."""

    product_id: str
    name: str
    category: str | None


@dataclass(frozen=True)
class UsableEntry:
    """A version of a dictionary entry; a guest's where ``menu`` is None.

    ``content`` is the same text for two entries that jsonb calls equal.
    """

    id: str
    version_dt: datetime
    content: str
    name: str
    login: str | None
    menu: tuple[MenuLine, ...] | None


@dataclass(frozen=True)
class Dish:
    """What one menu said about a dish: its last line there."""

    version_dt: datetime
    restaurant_id: bytes
    line: MenuLine


def usable_entries(entries: Iterable[Entry]) -> list[UsableEntry]:
    """Return each (id, time, content) once, in the order they were first staged."""
    seen: list[UsableEntry] = []
    for entry in entries:
        usable = read_entry(entry)
        if usable is not None and usable not in seen:
            seen.append(usable)
    return seen


def read_entry(entry: Entry) -> UsableEntry | None:
    """Return the entry, or None where it counts as missing."""
    try:
        document = parse(entry.value)
    except NotJson:
        return None
    if not isinstance(document, dict):
        return None
    broken: Broken = set()
    entry_id = fields.required(document, "_id", fields.short_text, broken)
    name = fields.required(document, "name", fields.long_text, broken)
    version_dt = fields.required(document, "update_ts_utc", fields.time, broken)
    if entry_id is None or entry_id != entry.id or name is None or version_dt is None:
        return None
    menu = document.get("menu")
    return UsableEntry(
        id=entry_id,
        version_dt=version_dt,
        content=canonical(document),
        name=name,
        # An unusable login spoils nothing else: the guest has none.
        login=fields.optional(document, "login", fields.long_text, set()),
        menu=_read_menu(menu) if isinstance(menu, list) else None,
    )


def dishes(entries: Iterable[UsableEntry], product_id: str) -> list[Dish]:
    """Return what each menu that counts said about a dish, in no order.

    Of the contents of one id with one time only the one staged last counts, as a
    whole: what only an earlier one named, was never on the menu.
    """
    last: dict[tuple[str, datetime], UsableEntry] = {}
    for entry in entries:
        last[entry.id, entry.version_dt] = entry
    said = []
    for entry in last.values():
        lines = [line for line in entry.menu or () if line.product_id == product_id]
        if lines:
            said.append(Dish(entry.version_dt, entry.id.encode(), lines[-1]))
    return said


def newest(said: Iterable[Dish]) -> Dish:
    """Return the newest; of two with one time the greater restaurant id's."""
    return max(said, key=lambda dish: (dish.version_dt, dish.restaurant_id))


def menu_name(entries: Iterable[UsableEntry], product_id: str) -> str | None:
    """Return the dish's name in the newest menu that has it, else None."""
    said = dishes(entries, product_id)
    return newest(said).line.name if said else None


def menu_category(
    entries: Iterable[UsableEntry], product_id: str, order_dt: datetime
) -> str | None:
    """Return the category that the menus gave the dish at a time, else None.

    Before the first menu that has the dish, that first menu counts. A menu may also
    give it no category; then it has none until another does.
    """
    said = dishes(entries, product_id)
    until_then = [dish for dish in said if dish.version_dt <= order_dt]
    if until_then:
        return newest(until_then).line.category
    if said:
        first_dt = min(dish.version_dt for dish in said)
        return newest(d for d in said if d.version_dt == first_dt).line.category
    return None


def _read_menu(menu: list[Value]) -> tuple[MenuLine, ...]:
    lines = []
    for line in menu:
        if not isinstance(line, dict):
            continue
        product_id = fields.required(line, "_id", fields.short_text, set())
        name = fields.required(line, "name", fields.long_text, set())
        category = fields.optional(line, "category", fields.long_text, set())
        if product_id is not None and name is not None:
            lines.append(MenuLine(product_id, name, category))
    return tuple(lines)

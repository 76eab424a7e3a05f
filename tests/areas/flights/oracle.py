"""What must come out of changes, in plain Python: written from the contract's words.

It shares nothing with the SQL: versions are put into a list one by one, as section 3
says, and the mart is counted over the rows that live.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.areas.flights.changes import KEYS, PLACEHOLDER, Change

Key = tuple[Any, ...]
Row = dict[str, Any]

_CHARS = {
    "aircraft_code", "airport_code", "book_ref", "ticket_no", "flight_no",
    "departure_airport", "arrival_airport",
}  # fmt: skip
_JSON = {"model", "airport_name", "city", "contact_data"}
_TIMES = {
    "book_date", "scheduled_departure", "scheduled_arrival", "actual_departure",
    "actual_arrival",
}  # fmt: skip
_MONEY = {"total_amount", "amount"}
# What may be too large for its row: where the key changes it stands under the old one.
_LARGE = {
    "model", "airport_name", "city", "timezone", "passenger_name", "contact_data",
}  # fmt: skip


@dataclass(frozen=True)
class Period:
    """From when to when a row was what; without values it was gone."""

    values: tuple[tuple[str, Any], ...] | None
    valid_from: datetime
    valid_to: datetime | None
    op: str
    lsn: int | None

    @property
    def row(self) -> Row:
        """Return the values by their columns."""
        return dict(self.values or ())


def value_of(column: str, value: Any) -> Any:
    """Return a value as the vault has it; JSON as a canonical text."""
    if value is None or value == PLACEHOLDER:
        return value
    if column in _CHARS:
        return value.rstrip(" ")
    if column in _JSON:
        return json.dumps(json.loads(value), sort_keys=True, ensure_ascii=False)
    if column in _TIMES:
        return datetime.fromisoformat(value)
    if column in _MONEY:
        return Decimal(str(value)).quantize(Decimal("0.01"))
    if column == "coordinates":
        return (float(value["x"]), float(value["y"]))
    return value


def key_of(change: Change) -> Key:
    """Return the key of a change's row."""
    return _key(change.table, change.row)


def _key(table: str, row: Row) -> Key:
    return tuple(value_of(name, row[name]) for name in KEYS[table])


def histories(changes: Iterable[Change]) -> dict[str, dict[Key, list[Period]]]:
    """Return the periods of each row of each table."""
    by_table: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_table[change.table].append(change)
    return {
        table: _of_table(table, by_table.get(table, []))
        for table in KEYS
        if table != "heartbeat"
    }


def living(histories: dict[Key, list[Period]]) -> dict[Key, Row]:
    """Return the rows that live, by their keys."""
    return {
        key: periods[-1].row
        for key, periods in histories.items()
        if periods[-1].values is not None
    }


def in_force(
    histories: dict[Key, list[Period]], column: str | None
) -> list[tuple[Any, ...]]:
    """Return since when and until when each row lived and named something."""
    found = []
    for key, periods in histories.items():
        before = None
        for period in periods:
            named = None
            if period.values is not None:
                named = period.row[column] if column else True
            if named is not None and named == before:
                found[-1] = (*found[-1][:-1], period.valid_to)
            elif named is not None:
                what = (named,) if column else ()
                found.append((*key, *what, period.valid_from, period.valid_to))
            before = named
    return found


def _of_table(table: str, changes: list[Change]) -> dict[Key, list[Period]]:
    truncations = _first(c for c in changes if c.op == "t")
    rows: dict[Key, list[Change]] = defaultdict(list)
    for change in changes:
        if change.op != "t":
            rows[key_of(change)].append(change)
    ordered = {key: _ordered(own, truncations) for key, own in rows.items()}
    return {key: _periods(table, key, ordered) for key in ordered}


def _position(change: Change) -> tuple[int, int, int]:
    return (change.epoch, change.partition, change.offset)


def _place(read: Change) -> tuple[Any, ...]:
    """Return where a read stands: an ``x`` before its offset, behind all before it."""
    if read.until is None:
        return (read.generation, *_position(read), False, 0)
    epoch, partition, offset = read.until
    return (read.generation, epoch, partition, offset - 1, True, read.offset)


def _first(changes: Iterable[Change]) -> list[Change]:
    """Return each version once, at its first position; in the order of lsn."""
    found: dict[Any, Change] = {}
    for change in sorted(changes, key=_position):
        found.setdefault((change.generation, change.lsn, change.op), change)
    return sorted(found.values(), key=lambda c: (c.generation, c.lsn, _position(c)))


def _ordered(own: list[Change], truncations: list[Change]) -> list[Change]:
    in_order = _first([*(c for c in own if c.op not in "rx"), *truncations])
    before: dict[int, list[Change]] = defaultdict(list)
    for read in sorted((c for c in own if c.op in "rx"), key=_place):
        _, epoch, partition, offset, *_ = _place(read)
        at = len(in_order)
        for number, change in enumerate(in_order):
            is_newer = change.generation > read.generation or (
                change.generation == read.generation
                and read.lsn is not None
                and change.lsn >= read.lsn
            )
            is_behind = change.partition == partition and (
                (change.epoch, change.offset) > (epoch, offset)
            )
            if is_newer or is_behind:
                at = number
                break
        before[at].append(read)
    found: list[Change] = []
    for number, change in enumerate(in_order):
        found += [*before[number], change]
    return found + before[len(in_order)]


def _periods(table: str, key: Key, ordered: dict[Key, list[Change]]) -> list[Period]:
    found: list[Period] = []
    known: Row = {}  # the last value of each column since the row was last gone
    renamed: Row = {}  # what was known under the old key
    last: tuple[Any, ...] | None = None
    for change in ordered[key]:
        if _is_end(change):
            known, renamed, values = {}, {}, None
        else:
            if change.renamed:
                renamed = _before_it_became(table, key, change, ordered)
            row: Row = {}
            for name in _columns(table):
                value = value_of(name, change.row.get(name))
                if value == PLACEHOLDER:
                    value = known.get(name, renamed.get(name))
                else:
                    known[name] = value
                row[name] = value
            values = tuple(row.items())
        if found and values == last:
            continue
        start = change.commit_dt
        if found:
            start = max(start, found[-1].valid_from)
            ended = found.pop()
            found.append(
                Period(ended.values, ended.valid_from, start, ended.op, ended.lsn)
            )
        found.append(Period(values, start, None, change.op, change.lsn))
        last = values
    return found


def _is_end(change: Change) -> bool:
    return change.op in "dt" or change.is_gone


def _before_it_became(
    table: str, key: Key, began: Change, ordered: dict[Key, list[Change]]
) -> Row:
    """Return the large values of the row under its old key, as that ended."""
    old = _key(table, began.renamed)
    place = (began.generation, began.lsn or 0)
    known: Row = {}
    renamed: Row = {}
    for change in ordered.get(old, []):
        at = (change.generation, change.lsn or 0)
        if change.op == "d" and at == place:
            is_this = bool(change.renamed) and _key(table, change.renamed) == key
            return renamed | known if is_this else {}
        if _is_end(change):
            known, renamed = {}, {}
            continue
        if change.renamed and at < place:
            renamed = _before_it_became(table, old, change, ordered)
        for name in _LARGE & set(_columns(table)):
            value = value_of(name, change.row.get(name))
            if value != PLACEHOLDER:
                known[name] = value
    return {}


def _columns(table: str) -> list[str]:
    from tests.areas.flights.changes import ROWS

    return [name for name in ROWS[table] if name not in KEYS[table]]


def hubs(changes: Iterable[Change]) -> dict[str, set[Key]]:
    """Return the keys that any change names, by hub."""
    found: dict[str, set[Key]] = defaultdict(set)
    named = {
        "h_aircraft": ("aircraft_code",),
        "h_airport": ("airport_code", "departure_airport", "arrival_airport"),
        "h_booking": ("book_ref",),
        "h_ticket": ("ticket_no",),
        "h_flight": ("flight_id",),
    }
    for change in changes:
        if change.op == "t" or change.table == "heartbeat":
            continue
        row = _said(change)
        for hub, names in named.items():
            found[hub] |= {(row[name],) for name in names if name in row}
        if change.table == "seats":
            found["h_seat"].add(key_of(change))
    return found


def links(changes: Iterable[Change]) -> dict[str, set[Key]]:
    """Return the pairs that any change names, by link."""
    pairs = {
        "l_ticket_booking": ("tickets", "ticket_no", "book_ref"),
        "l_flight_departure_airport": ("flights", "flight_id", "departure_airport"),
        "l_flight_arrival_airport": ("flights", "flight_id", "arrival_airport"),
        "l_flight_aircraft": ("flights", "flight_id", "aircraft_code"),
    }
    found: dict[str, set[Key]] = defaultdict(set)
    for change in changes:
        if change.op == "t":
            continue
        row = _said(change)
        for link, (table, one, other) in pairs.items():
            if change.table == table and other in row:
                found[link].add((row[one], row[other]))
        if change.table in ("ticket_flights", "boarding_passes"):
            found["l_ticket_flight"].add(key_of(change))
        if change.table == "seats":
            found["l_seat_aircraft"].add((*key_of(change), row["aircraft_code"]))
    return found


def _said(change: Change) -> Row:
    """Return what a change says: a delete only its key."""
    is_gone = change.op == "d" or change.is_gone
    names = KEYS[change.table] if is_gone else change.row.keys()
    found = {name: value_of(name, change.row[name]) for name in names}
    return {
        name: value
        for name, value in found.items()
        if value is not None and value != PLACEHOLDER
    }


def presentation(
    histories: dict[str, dict[Key, list[Period]]], language: str = "en"
) -> dict[str, tuple[Any, ...]]:
    """Return the mart's row of each passenger."""
    rows = {table: living(found) for table, found in histories.items()}
    tickets: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for (ticket_no,), row in rows["tickets"].items():
        if row["passenger_id"] is not None:
            tickets[row["passenger_id"]].append((ticket_no, row))
    return {
        passenger: _passenger(rows, own, language) for passenger, own in tickets.items()
    }


def _passenger(
    rows: dict[str, dict[Key, Row]], own: list[tuple[str, Row]], language: str
) -> tuple[Any, ...]:
    def newest(ticket: tuple[str, Row]) -> tuple[bool, Any, bytes]:
        booking = rows["bookings"].get((ticket[1]["book_ref"],))
        made = booking["book_date"] if booking else None
        return (booking is not None, made, ticket[0].encode())

    with_booking = [t for t in own if newest(t)[0]]
    name = max(
        with_booking or own,
        key=lambda t: newest(t)[1:] if with_booking else newest(t)[2],
    )[1]["passenger_name"]
    numbers = {ticket_no for ticket_no, _ in own}
    legs = {
        key: row for key, row in rows["ticket_flights"].items() if key[0] in numbers
    }
    booked = {
        flight
        for _, flight in legs
        if (flight,) in rows["flights"]
        and rows["flights"][(flight,)]["status"] != "Cancelled"
    }
    flown = {
        flight
        for flight in booked
        if rows["flights"][(flight,)]["status"] in ("Departed", "Arrived")
        and any((number, flight) in rows["boarding_passes"] for number in numbers)
    }
    code = _home(rows["flights"], booked)
    airport = rows["airports"].get((code,))
    return (
        name,
        len(booked),
        len(flown),
        sum((row["amount"] for row in legs.values()), Decimal("0.00")),
        code,
        _name(airport, language) or code,
    )


def _home(flights: dict[Key, Row], booked: set[int]) -> str | None:
    touches: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for flight in booked:
        row = flights[(flight,)]
        ends = [row["departure_airport"], row["arrival_airport"]]
        for place, code in enumerate(dict.fromkeys(ends)):
            if code is not None:
                touches[code].append((row["scheduled_departure"], flight, place))
    if not touches:
        return None
    return min(touches, key=lambda code: (-len(touches[code]), min(touches[code])))


def _name(airport: Row | None, language: str) -> str | None:
    if airport is None or airport["airport_name"] is None:
        return None
    names = json.loads(airport["airport_name"])
    if isinstance(names, str):
        return names
    if names.get(language) is not None:
        return str(names[language])
    known = {k: v for k, v in names.items() if v is not None}
    return str(known[min(known, key=str.encode)]) if known else None

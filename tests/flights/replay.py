"""The rows that live, by plain replay of all topics.

Written from the words of the contract, and sharing nothing with the pipeline: changes
in the order of their LSN, each once; a read directly before the first change whose LSN
is not lower, or that stands behind it in its partition; a truncate is a change of every
row. A value that is not sent stands for that of the version before; where the key has
changed, for that of the row under its old key.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

UNAVAILABLE = "__debezium_unavailable_value"
_JSON = {"model", "airport_name", "city", "contact_data"}
_NUMERICS = {"total_amount", "amount"}
_TIMES = {
    "book_date",
    "scheduled_departure",
    "scheduled_arrival",
    "actual_departure",
    "actual_arrival",
}
Key = tuple[Any, ...]
Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A message of a topic; a tombstone has no value."""

    topic: str
    partition: int
    offset: int
    key: dict[str, Any] | None
    value: dict[str, Any] | None
    old_key: dict[str, Any] | None

    @classmethod
    def of(cls, record: Any) -> "Message":
        """Return a record of the consumer."""
        return cls(
            record.topic,
            record.partition,
            record.offset,
            json.loads(record.key) if record.key else None,
            json.loads(record.value) if record.value else None,
            _old_key(dict(record.headers)),
        )

    @property
    def table(self) -> str:
        """The table that it is about."""
        return self.topic.rsplit(".", maxsplit=1)[-1]

    @property
    def op(self) -> str:
        """What it is."""
        return str(self.value["op"]) if self.value else ""

    @property
    def lsn(self) -> int | None:
        """Where it is in the source's log."""
        found: int | None = self.value["source"]["lsn"] if self.value else None
        return found

    @property
    def place(self) -> tuple[int, int]:
        """Its position."""
        return self.partition, self.offset


def _old_key(headers: dict[str, bytes]) -> dict[str, Any] | None:
    text = headers.get("__debezium.oldkey")
    if not text:
        return None
    found = json.loads(text)
    return dict(found.get("payload", found))


def normal(row: Row) -> Row:
    """Return a row of a message or of a table in one form."""
    return {name: _normal(name, value) for name, value in row.items()}


def _normal(name: str, value: Any) -> Any:
    if value is None or value == UNAVAILABLE:
        return value
    if name in _JSON:
        return json.loads(value)
    if name in _NUMERICS:
        return Decimal(value)
    if name in _TIMES:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        return time.astimezone(UTC)
    if name == "coordinates":
        if isinstance(value, dict):
            return float(value["x"]), float(value["y"])
        x, y = value.strip("()").split(",")
        return float(x), float(y)
    return value.rstrip(" ") if isinstance(value, str) else value


def living(messages: Iterable[Message]) -> dict[str, dict[Key, Row]]:
    """Return the rows that live, by table and key."""
    found: dict[str, dict[Key, Row]] = defaultdict(dict)
    by_table: dict[str, list[Message]] = defaultdict(list)
    for one in messages:
        if one.value:
            by_table[one.table].append(one)
    for table, its in by_table.items():
        truncates = _once(one for one in its if one.op == "t")
        by_key: dict[Key, list[Message]] = defaultdict(list)
        for one in its:
            if one.op != "t":
                by_key[tuple(normal(one.key or {}).values())].append(one)
        for key in by_key:
            row = _newest(key, by_key, truncates)
            if row is not None:
                found[table][key] = row
    return dict(found)


def _once(changes: Iterable[Message]) -> list[Message]:
    """Leave out repetitions, and order what is left."""
    first: dict[tuple[Any, ...], Message] = {}
    for one in sorted(changes, key=lambda one: one.place):
        first.setdefault((one.lsn, one.op), one)
    return sorted(first.values(), key=lambda one: (one.lsn, one.place))


def _newest(
    key: Key,
    by_key: dict[Key, list[Message]],
    truncates: list[Message],
    below: int | None = None,
) -> Row | None:
    """Return the row as its newest version has it, None if it is gone.

    :param below: only changes with a lower LSN count
    """
    versions = by_key.get(key, [])
    changes = _once(one for one in versions if one.op in "cud")
    changes = sorted(changes + truncates, key=lambda one: (one.lsn, one.place))
    reads: dict[int, list[Message]] = defaultdict(list)
    for read in sorted((o for o in versions if o.op == "r"), key=lambda o: o.place):
        reads[_stands_before(read, changes)].append(read)
    ordered = []
    for number in range(len(changes) + 1):
        ordered += reads[number]
        ordered += changes[number : number + 1]
    row: Row | None = None
    for one in ordered:
        if below is not None and one.op != "r" and (one.lsn or 0) >= below:
            break
        if one.op in "dt":
            row = None
            continue
        if one.old_key:
            old = tuple(normal(one.old_key).values())
            row = _newest(old, by_key, truncates, below=one.lsn)
        new = normal((one.value or {})["after"])
        row = {
            name: (row or {}).get(name) if value == UNAVAILABLE else value
            for name, value in new.items()
        }
    return row


def _stands_before(read: Message, changes: list[Message]) -> int:
    for number, change in enumerate(changes):
        has_it = read.lsn is not None and (change.lsn or 0) >= read.lsn
        is_behind = change.partition == read.partition and change.offset > read.offset
        if has_it or is_behind:
            return number
    return len(changes)

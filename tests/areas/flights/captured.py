"""Messages of a real connector, of the tables of the airline (``captured.jsonl``)."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.areas.flights.changes import KEYS, Change, Record

_LINES = Path(__file__).with_suffix(".jsonl")
_PREFIX = "flights"


def captured() -> tuple[list[Record], list[Change]]:
    """Return the records of the prefix ``flights``, and what they say."""
    records, changes = [], []
    taken: dict[str, int] = {}
    for line in _LINES.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        topic = found["topic"]
        prefix, _, table = topic.partition(".bookings.")
        if prefix != _PREFIX or table not in KEYS:
            continue
        # The file has captures of several days: each topic goes on where it was.
        offset = taken[topic] = taken.get(topic, -1) + 1
        records.append(_record(found, offset))
        value = found["value"]
        if value is not None and table != "heartbeat":
            changes.append(_change(table, found, offset))
    return records, changes


def _record(found: dict[str, Any], offset: int) -> Record:
    headers = tuple((name, value.encode()) for name, value in found["headers"])
    return Record(
        found["topic"],
        0,
        found["partition"],
        offset,
        datetime.fromtimestamp(found["timestamp"] / 1000, UTC),
        _bytes(found["key"]),
        _bytes(found["value"]),
        headers,
    )


def _bytes(value: Any) -> bytes | None:
    return None if value is None else json.dumps(value, ensure_ascii=False).encode()


def _change(table: str, found: dict[str, Any], offset: int) -> Change:
    value = found["value"]
    source = value["source"]
    row = value["after"] or (value["before"] or {}) | (found["key"] or {})
    change = Captured(
        table, value["op"], row, source["lsn"], partition=found["partition"],
        offset=offset,
    )  # fmt: skip
    object.__setattr__(change, "ts_us", source["ts_us"])
    return change


class Captured(Change):
    """A change whose time is that of the message."""

    ts_us: int

    @property
    def commit_dt(self) -> datetime:
        """Return when it was committed, or read."""
        return datetime.fromtimestamp(self.ts_us // 1_000_000, UTC).replace(
            microsecond=self.ts_us % 1_000_000
        )

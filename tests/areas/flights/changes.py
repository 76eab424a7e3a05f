"""Changes of the airline's tables, and the messages that a connector makes of them."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

PREFIX = "flights"
FEED = "flights.reconciled"
PLACEHOLDER = "__debezium_unavailable_value"
START = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = {
    "aircrafts": ("aircraft_code",),
    "airports": ("airport_code",),
    "seats": ("aircraft_code", "seat_no"),
    "bookings": ("book_ref",),
    "tickets": ("ticket_no",),
    "flights": ("flight_id",),
    "ticket_flights": ("ticket_no", "flight_id"),
    "boarding_passes": ("ticket_no", "flight_id"),
    "heartbeat": ("id",),
}
# A row of each table as a connector sends it.
ROWS: dict[str, dict[str, Any]] = {
    "aircrafts": {"aircraft_code": "320", "model": '{"en": "Airbus"}', "range": 5700},
    "airports": {
        "airport_code": "SVO",
        "airport_name": '{"en": "Sheremetyevo", "ru": "Шереметьево"}',
        "city": '{"en": "Moscow"}',
        "coordinates": {"x": 37.4146, "y": 55.972599, "wkb": "", "srid": None},
        "timezone": "Europe/Moscow",
    },
    "seats": {"aircraft_code": "320", "seat_no": "1A", "fare_conditions": "Business"},
    "bookings": {
        "book_ref": "A1B2C3",
        "book_date": "2026-03-01T07:15:00.123456Z",
        "total_amount": "400.00",
    },
    "tickets": {
        "ticket_no": "0005432000001",
        "book_ref": "A1B2C3",
        "passenger_id": "8149 604011",
        "passenger_name": "ELENA TESTOVA",
        "contact_data": '{"phone": "+7"}',
    },
    "flights": {
        "flight_id": 1,
        "flight_no": "PG0405",
        "scheduled_departure": "2026-03-10T06:35:00.000000Z",
        "scheduled_arrival": "2026-03-10T07:30:00.000000Z",
        "departure_airport": "SVO",
        "arrival_airport": "LED",
        "status": "Scheduled",
        "aircraft_code": "320",
        "actual_departure": None,
        "actual_arrival": None,
    },
    "ticket_flights": {
        "ticket_no": "0005432000001",
        "flight_id": 1,
        "fare_conditions": "Economy",
        "amount": "200.00",
    },
    "boarding_passes": {
        "ticket_no": "0005432000001",
        "flight_id": 1,
        "boarding_no": 1,
        "seat_no": "1A",
    },
    "heartbeat": {"id": 1, "beat_at": "2026-03-01T00:00:00Z"},
}


def row(table: str, **values: Any) -> dict[str, Any]:
    """Return a row of a table, with other values in some columns."""
    return ROWS[table] | values


@dataclass(frozen=True)
class Record:
    """A Kafka record of a topic of changes, at its position."""

    topic: str
    epoch: int
    partition: int
    offset: int
    broker_dt: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def position(self) -> tuple[str, int, int, int]:
        """(topic, epoch, partition, offset)."""
        return (self.topic, self.epoch, self.partition, self.offset)


@dataclass(frozen=True)
class Change:
    """What one message says: ``row`` is the row, of a delete only its key counts.

    ``second`` is the commit, from ``START`` on. ``renamed`` is the other key of a
    changed one: of a ``d`` the new one, of a ``c`` the old one. ``until`` is where an
    ``x`` stands: up to which (epoch, partition, offset) its topic was loaded.
    """

    table: str
    op: str
    row: dict[str, Any]
    lsn: int | None
    second: int = 0
    tx_id: int | None = 1
    epoch: int = 0
    partition: int = 0
    offset: int = 0
    renamed: dict[str, Any] | None = None
    prefix: str = PREFIX
    until: tuple[int, int, int] | None = None
    is_gone: bool = False
    generation: int = 0

    @property
    def commit_dt(self) -> datetime:
        """Return when it was committed, or read."""
        return START + timedelta(seconds=self.second)

    @property
    def key(self) -> dict[str, Any]:
        """Return its key, as the connector sends it."""
        return {name: self.row[name] for name in KEYS[self.table]}

    @property
    def value(self) -> dict[str, Any]:
        """Return the message's value."""
        kept = self.key if self.op == "d" else {}
        gone = {
            name: kept.get(name, "" if isinstance(value, str) else 0)
            for name, value in self.row.items()
        }
        return {
            "before": gone if self.op == "d" else None,
            "after": self.row if self.op in "rcux" and not self.is_gone else None,
            "op": self.op,
            "ts_ms": 0,
            "until": dict(
                zip(("epoch", "partition", "offset"), self.until or (), strict=False)
            ),
            "source": {
                "connector": "postgresql",
                "name": self.prefix,
                "db": "demo",
                "schema": "bookings",
                "table": self.table,
                "snapshot": "true" if self.op == "r" else "false",
                "ts_us": int(self.commit_dt.timestamp()) * 1_000_000,
                "txId": self.tx_id,
                "lsn": self.lsn,
            },
        }

    def record(self) -> Record:
        """Return the record of its message."""
        header = {"d": "__debezium.newkey", "c": "__debezium.oldkey"}.get(self.op)
        headers: tuple[tuple[str, bytes | None], ...] = (
            ("__debezium.context.taskId", b"0"),
        )
        if self.renamed and header:
            headers += ((header, json.dumps(self.renamed).encode()),)
        return Record(
            FEED if self.op == "x" else f"{self.prefix}.bookings.{self.table}",
            self.epoch,
            self.partition,
            self.offset,
            self.commit_dt + timedelta(seconds=1),
            None if self.op == "t" else json.dumps(self.key).encode(),
            json.dumps(self.value, ensure_ascii=False).encode(),
            headers,
        )


@dataclass
class Stream:
    """Gives changes their positions, topic by topic; a tombstone follows a delete."""

    prefix: str = PREFIX
    changes: list[Change] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    _next: dict[tuple[str, int, int], int] = field(default_factory=dict)

    def add(
        self,
        table: str,
        op: str,
        lsn: int | None,
        second: int | None = None,
        partition: int = 0,
        epoch: int = 0,
        renamed: dict[str, Any] | None = None,
        **values: Any,
    ) -> Change:
        """Add a change of a row; its commit is its lsn, if nothing else is said."""
        change = Change(
            table,
            op,
            row(table, **values),
            lsn,
            lsn or 0 if second is None else second,
            epoch=epoch,
            partition=partition,
            offset=self._take(table, epoch, partition),
            renamed=renamed,
            prefix=self.prefix,
        )
        self.changes.append(change)
        self.records.append(change.record())
        if op == "d":
            self.records.append(self._tombstone(change))
        return change

    def compared(
        self,
        table: str,
        lsn: int,
        until: tuple[int, int, int] | None = None,
        *,
        second: int | None = None,
        is_gone: bool = False,
        **values: Any,
    ) -> Change:
        """Add a row as a comparison has read it; by default at its topic's end."""
        end = (0, 0, self._next.get((table, 0, 0), 0))
        change = Change(
            table,
            "x",
            row(table, **values),
            lsn,
            lsn if second is None else second,
            offset=self._take(FEED, 0, 0),
            prefix=self.prefix,
            until=until or end,
            is_gone=is_gone,
        )
        self.changes.append(change)
        self.records.append(change.record())
        return change

    def again(self, change: Change) -> None:
        """Add the same change once more, at the next offset."""
        offset = self._take(change.table, change.epoch, change.partition)
        same = replace(change, offset=offset)
        self.changes.append(same)
        self.records.append(same.record())

    def _tombstone(self, change: Change) -> Record:
        offset = self._take(change.table, change.epoch, change.partition)
        return replace(change.record(), offset=offset, value=None)

    def _take(self, table: str, epoch: int, partition: int) -> int:
        log = (table, epoch, partition)
        self._next[log] = self._next.get(log, 0) + 1
        return self._next[log] - 1

"""A warehouse that takes changes of an airline's tables, staged by SQL."""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5
from itertools import chain, count
from typing import Any

from psycopg import Connection

from palate.copies import stage as copies
from palate.engine import Outcome
from palate.landing.partitions import ensure_partitions
from palate.marts import stage as marts
from palate.positions.ranges import FeedPartition, Range
from palate.positions.watermark import advance, watermarks
from palate.settings import Settings
from palate.sources import catalog
from palate.vault import stage as vault
from tests.areas.flights import oracle
from tests.areas.flights.changes import FEED, Change, Record, Stream
from tests.integration.staged import caller

_RUNS = count()
FLIGHTS = catalog.load_area("flights")
MART = "presentation"
STAGED_DT = datetime(2026, 3, 1, tzinfo=UTC)
_TYPES = (
    "text", "int4", "int4", "int8", "timestamptz", "bytea", "bytea", "bytea",
    "timestamptz",
)  # fmt: skip
_VIEWS = {
    "aircrafts": "v_aircraft",
    "airports": "v_airport",
    "seats": "v_seat",
    "bookings": "v_booking",
    "tickets": "v_ticket",
    "flights": "v_flight",
    "ticket_flights": "v_ticket_flight",
    "boarding_passes": "v_boarding_pass",
}
_EFFECTIVE = {
    "v_ticket_booking_effective": ("tickets", "book_ref"),
    "v_flight_aircraft_effective": ("flights", "aircraft_code"),
    "v_flight_departure_airport_effective": ("flights", "departure_airport"),
    "v_flight_arrival_airport_effective": ("flights", "arrival_airport"),
    "v_ticket_flight_effective": ("ticket_flights", None),
}


@dataclass
class Airline:
    """The warehouse, and how changes come into it."""

    settings: Settings
    conn: Connection[Any]

    def stage(self, records: Iterable[Record]) -> None:
        """Write records and the drain's watermarks, as the drain would."""
        rows = sorted(records, key=lambda record: record.position)
        ends: dict[FeedPartition, int] = {}
        for one in rows:
            ends[FeedPartition(one.topic, one.epoch, one.partition)] = one.offset + 1
        ranges = {stage: self._open(stage, ends) for stage in (FLIGHTS.drain, FEED)}
        if not ends:
            return
        with self.conn.transaction():
            ensure_partitions(self.conn, self.settings, chain(*ranges.values()))
            with (
                self.conn.cursor() as cursor,
                cursor.copy(
                    "COPY stg.order_events (topic, epoch, kafka_partition,"
                    " kafka_offset, broker_dt, message, kafka_key, headers, staged_dt)"
                    " FROM STDIN (FORMAT BINARY)"
                ) as copy,
            ):
                copy.set_types(_TYPES)
                for one in rows:
                    copy.write_row(
                        (
                            *one.position,
                            one.broker_dt,
                            one.value,
                            one.key,
                            _headers(one),
                            STAGED_DT,
                        )
                    )
            for stage, own in ranges.items():
                advance(self.conn, stage, own, STAGED_DT)

    def _open(self, stage: str, ends: dict[FeedPartition, int]) -> list[Range]:
        """Return what a stage has not staged yet: of topics, or of its own feed."""
        done = watermarks(self.conn, stage)
        return [
            Range(log, done.get(log, 0), end)
            for log, end in ends.items()
            if (log.topic == FEED) == (stage == FEED)
        ]

    def load(self, run_id: str = "") -> None:
        """Run the vault and the mart once, as a run of its own if none is named."""
        run_id = run_id or str(next(_RUNS))
        vault.run(self.settings, FLIGHTS, caller("vault", run_id))
        marts.run(self.settings, MART, caller(MART, run_id))

    def copy(self, run_id: str = "") -> Outcome:
        """Run the stage of the mart's copy."""
        return copies.run(
            self.settings, MART, caller("copy", run_id or str(next(_RUNS)))
        )

    def take(self, records: Iterable[Record], run_id: str = "") -> None:
        """Stage records and load them."""
        self.stage(records)
        self.load(run_id)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what the warehouse answers."""
        return self.conn.execute(query, values or None).fetchall()

    def living(self, table: str) -> dict[oracle.Key, oracle.Row]:
        """Return a view's rows by their keys, without the keys' columns."""
        keys = oracle.KEYS[table]
        found: dict[oracle.Key, oracle.Row] = {}
        for row in self._read(f"SELECT * FROM dds.{_VIEWS[table]}"):
            key = tuple(row.pop(name) for name in keys)
            assert key not in found, "a row twice"
            found[key] = row
        return found

    def history(self, table: str) -> dict[oracle.Key, list[oracle.Period]]:
        """Return the periods of each row, in their order."""
        keys = oracle.KEYS[table]
        found: dict[oracle.Key, list[oracle.Period]] = {}
        number = f"dds.{_VIEWS[table]}_periods"
        assert self.rows(f"SELECT count(*) FROM {number} WHERE valid_from IS NULL") == [
            (0,)
        ]
        for row in self._read(f"SELECT * FROM dds.{_VIEWS[table]}_history"):
            key = tuple(row.pop(name) for name in keys)
            start, end = row.pop("valid_from"), row.pop("valid_to")
            is_deleted, op, lsn = (row.pop(n) for n in ("is_deleted", "op", "lsn"))
            if is_deleted:
                assert not any(value is not None for value in row.values())
            values = None if is_deleted else tuple(row.items())
            period = oracle.Period(values, start, end, op, lsn)
            found.setdefault(key, []).append(period)
        return found

    def presentation(self) -> dict[str, tuple[Any, ...]]:
        """Return the mart's rows by passenger, without the time of the last change."""
        rows = self.rows("SELECT * FROM cdm.presentation")
        return {passenger: tuple(values[:-1]) for passenger, *values in rows}

    def refused(self) -> dict[tuple[Any, ...], str]:
        """Return the refused positions with their reasons."""
        rows = self.rows(
            "SELECT topic, epoch, kafka_partition, kafka_offset, reason"
            " FROM stg.rejected_messages"
        )
        return {(*position,): reason for *position, reason in rows}

    def checksum(self) -> str:
        """Return one value for all of the vault and the mart, but technical columns."""
        texts = []
        for (table,) in self.rows(
            "SELECT 'dds.' || name FROM ops.definitions"
            " WHERE area = 'flights' AND kind <> 'mart' ORDER BY 1"
        ):
            texts += self._texts(table, "load_dt", "load_src")
        texts += self._texts("cdm.presentation", "created_at")
        return md5("\n".join(texts).encode(), usedforsecurity=False).hexdigest()

    def take_all(self, stream: Stream) -> None:
        """Take a stream's messages: all are accepted, and come to what they say."""
        self.take(stream.records)
        assert self.refused() == {}
        self.assert_true(stream.changes)

    def assert_true(self, changes: Iterable[Change]) -> None:
        """Compare all that the warehouse holds with what follows from the changes."""
        sent = list(changes)
        expected = oracle.histories(sent)
        for table in _VIEWS:
            assert self.living(table) == oracle.living(expected[table]), table
            found = self.history(table)
            assert _counted(found) == _counted(expected[table]), table
        for view, (table, column) in _EFFECTIVE.items():
            rows = Counter(self.rows(f"SELECT * FROM dds.{view}"))
            assert rows == Counter(oracle.in_force(expected[table], column)), view
        for hub, keys in oracle.hubs(sent).items():
            names = ", ".join(oracle.KEYS[_OF_HUB[hub]])
            rows = Counter(self.rows(f"SELECT {names} FROM dds.{hub}"))
            assert rows == Counter(keys), hub
        for link, pairs in oracle.links(sent).items():
            assert Counter(self.rows(_LINKS[link])) == Counter(pairs), link
        assert self.presentation() == oracle.presentation(expected)

    def _texts(self, table: str, *left_out: str) -> list[str]:
        rows = self.rows(
            f"SELECT (to_jsonb(t) - %s::text[])::text FROM {table} AS t ORDER BY 1",
            list(left_out),
        )
        return [table, *(text for (text,) in rows)]

    def _read(self, query: str) -> list[dict[str, Any]]:
        cursor = self.conn.execute(query)
        names = [column.name for column in cursor.description or ()]
        return [
            {n: _plain(n, v) for n, v in zip(names, row, strict=True)}
            for row in cursor.fetchall()
        ]


_OF_HUB = {
    "h_aircraft": "aircrafts",
    "h_airport": "airports",
    "h_booking": "bookings",
    "h_ticket": "tickets",
    "h_flight": "flights",
    "h_seat": "seats",
}
_LINKS = {
    "l_ticket_booking": "SELECT ticket_no, book_ref FROM dds.l_ticket_booking"
    " JOIN dds.h_ticket USING (h_ticket_pk) JOIN dds.h_booking USING (h_booking_pk)",
    "l_ticket_flight": "SELECT ticket_no, flight_id FROM dds.l_ticket_flight"
    " JOIN dds.h_ticket USING (h_ticket_pk) JOIN dds.h_flight USING (h_flight_pk)",
    "l_flight_departure_airport": "SELECT flight_id, airport_code"
    " FROM dds.l_flight_departure_airport JOIN dds.h_flight USING (h_flight_pk)"
    " JOIN dds.h_airport USING (h_airport_pk)",
    "l_flight_arrival_airport": "SELECT flight_id, airport_code"
    " FROM dds.l_flight_arrival_airport JOIN dds.h_flight USING (h_flight_pk)"
    " JOIN dds.h_airport USING (h_airport_pk)",
    "l_flight_aircraft": "SELECT flight_id, aircraft_code FROM dds.l_flight_aircraft"
    " JOIN dds.h_flight USING (h_flight_pk) JOIN dds.h_aircraft USING (h_aircraft_pk)",
    "l_seat_aircraft": "SELECT s.aircraft_code, seat_no, a.aircraft_code"
    " FROM dds.l_seat_aircraft JOIN dds.h_seat AS s USING (h_seat_pk)"
    " JOIN dds.h_aircraft AS a USING (h_aircraft_pk)",
}


def _plain(name: str, value: Any) -> Any:
    if value is not None and name in oracle._JSON:
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    if name == "coordinates" and value is not None:
        x, y = value.strip("()").split(",")
        return (float(x), float(y))
    return value


def _counted(
    found: dict[oracle.Key, list[oracle.Period]],
) -> dict[oracle.Key, Counter[oracle.Period]]:
    """Return the periods to be compared: those of one moment stand in any order."""
    return {key: Counter(periods) for key, periods in found.items()}


def _headers(record: Record) -> bytes | None:
    if not record.headers:
        return None
    pairs = [
        [name, None if value is None else b64encode(value).decode()]
        for name, value in record.headers
    ]
    return json.dumps(pairs).encode()

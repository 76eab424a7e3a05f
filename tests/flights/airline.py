"""Both servers and the connector, as tests look at them and harm them."""

import json
import os
import random
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from kafka import KafkaConsumer, TopicPartition
from psycopg.types.json import Jsonb, set_json_loads

from deploy.flights import connector, source
from deploy.local import airline, connect
from deploy.local.secrets import Secrets
from deploy.local.stack import Stack
from palate.errors import PalateError
from palate.simulate.flights.acts import act, fill_if_empty
from palate.simulate.flights.airline import connected
from tests.flights.replay import Message, living, normal

Connection = psycopg.Connection[tuple[Any, ...]]
_PATIENCE_SECONDS = 180


def until(holds: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Look until something holds.

    :raises AssertionError: if it doesn't in time
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"Not within {seconds:g} s: {what}"
        time.sleep(0.2)


class Source:
    """The source of one stack."""

    def __init__(self, stack: Stack) -> None:
        """Describe it; it runs."""
        self.stack = stack
        self.secrets = Secrets.load(stack.var / "secrets.json")

    @contextmanager
    def primary(self) -> Iterator[Connection]:
        """Log in to the primary as its administrator."""
        dsn = airline.superuser(self.stack.ports.airline, self.secrets, source.DATABASE)
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield conn

    @contextmanager
    def standby(self) -> Iterator[Connection]:
        """Log in to the standby as its administrator."""
        dsn = airline.superuser(
            self.stack.ports.airline_standby, self.secrets, source.DATABASE
        )
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield conn

    @contextmanager
    def application(self) -> Iterator[Connection]:
        """Log in to the primary as the airline's application."""
        dsn = self.stack.env()["FLIGHTS_AIRLINE_DSN"]
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield conn

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        """Log in to the standby as Palate does."""
        dsn = self.stack.env()["FLIGHTS_STANDBY_DSN"]
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield conn

    def fill(self) -> None:
        """Enter the first rows, if there are none."""
        with connected(self.stack.env()["FLIGHTS_AIRLINE_DSN"], 7) as one:
            fill_if_empty(one, 30, 40)

    def happen(self, acts: int, seed: int = 7) -> None:
        """Let things happen at the airline."""
        with connected(self.stack.env()["FLIGHTS_AIRLINE_DSN"], seed) as one:
            for _ in range(acts):
                act(one)

    def kill(self, part: str) -> None:
        """End a part at once, with its children; its supervisor starts it again."""
        (pid,) = (one.pid for one in self.stack.states() if one.name == part)
        os.kill(pid, signal.SIGKILL)
        until(lambda: self._pid(part) not in (0, pid), f"{part} is started again")
        until(lambda: self.stack.answers(part), f"{part} answers")

    def connector_config(self) -> dict[str, Any]:
        """Return the connector's settings, as Connect shows them."""
        url = f"{connect.url(self.stack.ports)}/connectors/{connector.NAME}/config"
        with urllib.request.urlopen(url, timeout=5) as response:
            found: dict[str, Any] = json.load(response)
            return found

    def drop_slot(self) -> None:
        """Drop the connector's slot, once nobody reads it."""

        def is_free() -> bool:
            row = conn.execute(
                "SELECT active FROM pg_replication_slots WHERE slot_name = %s",
                (source.SLOT,),
            ).fetchone()
            return not (row and row[0])

        with self.primary() as conn:
            until(is_free, "nobody reads the slot")
            conn.execute("SELECT pg_drop_replication_slot(%s)", (source.SLOT,))

    def slot_waits(self) -> bool:
        """Return whether a new slot waits for a transaction to end."""
        with self.primary() as conn:
            row = conn.execute(
                "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND query LIKE 'CREATE_REPLICATION_SLOT%'"
            ).fetchone()
        return row is not None

    def rename_ticket_with_a_large_value(self) -> tuple[str, str]:
        """Give a ticket a value that isn't sent, and another number; return both."""
        with self.application() as conn:
            (old,) = conn.execute(
                "UPDATE bookings.tickets SET contact_data = %s WHERE ticket_no ="
                " (SELECT min(ticket_no) FROM bookings.tickets) RETURNING ticket_no",
                (Jsonb({"note": random.Random(7).randbytes(6_000).hex()}),),
            ).fetchone() or ("",)
            (new,) = conn.execute(
                "UPDATE bookings.tickets SET ticket_no = (SELECT lpad("
                "(max(ticket_no)::bigint + 1)::text, 13, '0') FROM bookings.tickets)"
                " WHERE ticket_no = %s RETURNING ticket_no",
                (old,),
            ).fetchone() or ("",)
        return old, new

    def settle(self) -> None:
        """Wait until all that is committed now is in the topics.

        A heartbeat in its topic proves less: it may overtake rows on their way to other
        topics. What the connector confirms to the primary has been acknowledged, and
        all before it. A new slot begins as confirmed up to where it was made, while its
        snapshot is still read; so what is to be confirmed is written after that.
        """

        def slot() -> bool:
            return bool(row("SELECT active FROM pg_replication_slots"))

        def row(query: str, *values: str) -> Any:
            found = conn.execute(
                f"{query} WHERE slot_name = %s", (*values, source.SLOT)
            )
            return (found.fetchone() or (None,))[0]

        def is_confirmed() -> bool:
            query = "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots"
            return bool(row(query, now))

        with self.primary() as conn:
            until(slot, "the connector reads its slot")
            (now,) = conn.execute(
                "SELECT pg_logical_emit_message(true, 'settle', '')::text"
            ).fetchone() or ("",)
            until(is_confirmed, f"the connector confirms {now}")

    def messages(self, *topics: str, last: int | None = None) -> list[Message]:
        """Return what is in topics; by default, all of those of the eight tables.

        :param last: only so many of each partition
        """
        names = topics or tuple(f"flights.bookings.{t}" for t in source.TABLES)
        consumer = KafkaConsumer(
            bootstrap_servers=self.stack.env()["KAFKA_BOOTSTRAP"],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            parts = [
                TopicPartition(name, number)
                for name in names
                for number in consumer.partitions_for_topic(name) or ()
            ]
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            begins = consumer.beginning_offsets(parts)
            for part in parts:
                begin = begins[part]
                if last is not None:
                    begin = max(begin, ends[part] - last)
                consumer.seek(part, begin)
            found = []
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while any(consumer.position(part) < ends[part] for part in parts):
                assert time.monotonic() < deadline, "the topics can't be read"
                for part, records in consumer.poll(500, max_records=5000).items():
                    found += [
                        Message.of(one) for one in records if one.offset < ends[part]
                    ]
            return found
        finally:
            consumer.close()

    def rows(self, conn: Connection, table: str) -> dict[tuple[Any, ...], Any]:
        """Return a table's rows by key, in the form that messages have."""
        set_json_loads(lambda data: bytes(data).decode(), conn)  # text, as in messages
        cursor = conn.execute(f"SELECT * FROM bookings.{table}")
        names = [column.name for column in cursor.description or ()]
        rows = [normal(dict(zip(names, row, strict=True))) for row in cursor]
        return {tuple(row[name] for name in KEYS[table]): row for row in rows}

    def tables(self, conn: Connection) -> dict[str, dict[tuple[Any, ...], Any]]:
        """Return the rows of all eight tables, as they were at one moment."""
        conn.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        try:
            return {table: self.rows(conn, table) for table in source.TABLES}
        finally:
            conn.execute("COMMIT")

    def differences(self) -> dict[str, Any]:
        """Wait for all that is committed; return where replay and standby differ.

        :return: by table, the keys that only the replay has, those that only the
            standby has, and those with other values
        """
        self.settle()
        self.wait_for_standby()
        found = living(self.messages())
        with self.standby() as conn:
            wanted = self.tables(conn)
        both = {table: (found.get(table, {}), wanted[table]) for table in wanted}
        return {
            table: (
                a.keys() - b.keys(),
                b.keys() - a.keys(),
                {key for key in a.keys() & b.keys() if a[key] != b[key]},
            )
            for table, (a, b) in both.items()
            if a != b
        }

    def equal(self) -> None:
        """Wait for all that is committed; see that replay and standby are equal."""
        assert self.differences() == {}

    def wait_for_standby(self) -> str:
        """Wait until the standby has replayed all of now; return where that is."""
        with self.primary() as conn:
            (now,) = conn.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or (
                "",
            )

        def has_replayed() -> bool:
            try:
                with self.standby() as conn:
                    row = conn.execute(
                        "SELECT NOT pg_is_in_recovery()"
                        " OR pg_last_wal_replay_lsn() >= %s::pg_lsn",
                        (now,),
                    ).fetchone()
            except psycopg.OperationalError:
                return False
            return bool(row and row[0])

        until(has_replayed, f"the standby at {now}")
        return str(now)

    def _pid(self, part: str) -> int:
        try:
            return next(one.pid for one in self.stack.states() if one.name == part)
        except PalateError:
            return 0


KEYS = {
    "aircrafts": ("aircraft_code",),
    "airports": ("airport_code",),
    "seats": ("aircraft_code", "seat_no"),
    "bookings": ("book_ref",),
    "tickets": ("ticket_no",),
    "flights": ("flight_id",),
    "ticket_flights": ("ticket_no", "flight_id"),
    "boarding_passes": ("ticket_no", "flight_id"),
}

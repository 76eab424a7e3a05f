"""A thousand partitions of STG on a server whose table of locks is the default one."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from deploy.local.stack import Stack
from palate.cli.app import app
from palate.settings import Settings
from tests.corpus.case import example
from tests.integration.broker import Broker, KafkaAdminClient
from tests.integration.staged import stage_messages
from tests.lock_tables import with_default_lock_table
from tests.model.history import Form, Message
from tests.warehouses import Warehouses, environment_of

PARTITIONS = 1_000
POSITIONS = 2  # in each of them
REFUSED = (7, PARTITIONS * POSITIONS - 3)
# A statement about all of STG has three for each partition.
LOCKS_LEFT = 1_500
THEN = (datetime.now(UTC) - timedelta(days=5)).replace(microsecond=0)
HOUR = (THEN + timedelta(minutes=30), THEN + timedelta(minutes=90))


@dataclass(frozen=True)
class Ground:
    """A warehouse with a thousand partitions, and who keeps the locks."""

    settings: Settings
    topic: str
    others: psycopg.Connection

    def leave(self, number: int) -> None:
        """Let others have all locks of the server but so many."""
        self.others.execute("SELECT pg_advisory_unlock_all()")
        query = "SELECT {}(n) FROM generate_series(%s::bigint, %s::bigint) AS n"
        with suppress(psycopg.errors.OutOfMemory):
            for taken in count(1, 50):
                some = (taken, taken + 49)
                self.others.execute(query.format("pg_advisory_lock"), some)
        self.others.execute(query.format("pg_advisory_unlock"), (1, number))

    def call(self, *words: str) -> Any:
        """Call the command ``palate``."""
        environment = environment_of(self.settings) | {
            "PALATE_PUBLISH_ORDERS_TO": "orders",
            "PALATE_STG_PARTITION_POSITIONS": str(POSITIONS),
            "PALATE_STG_KEEP_DAYS": "2",
            "PALATE_CHUNK_POSITIONS": "200",
            "PALATE_DRAIN_MESSAGES": "200",
            "COLUMNS": "1000",
        }
        return CliRunner().invoke(app, list(words), env=environment)


@pytest.fixture(scope="module")
def ground(services: Stack) -> Iterator[Ground]:
    with (
        with_default_lock_table(services) as stack,
        Warehouses(stack) as warehouses,
        warehouses.make(1, palate_stg_partition_positions=POSITIONS) as settings,
    ):
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        broker = Broker(settings, admin)
        messages = [_message(broker.raw, at) for at in range(PARTITIONS * POSITIONS)]
        _send(broker, messages)
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as others:
            for start in range(0, len(messages), 500):
                part = messages[start : start + 500]
                stage_messages(others, part, settings=settings)
            found = Ground(settings, broker.raw, others)
            found.leave(LOCKS_LEFT)
            yield found
        admin.close()


COMMANDS = [
    ("run",),
    ("status",),
    ("check",),
    ("reconcile",),
    ("rejected", "list"),
    ("rejected", "list", "--from", "{start}"),
    ("rejected", "show", "{topic}", "0", str(REFUSED[0])),
    ("rejected", "replay", "--all"),
    ("reload", "--from", "{start}", "--to", "{end}"),
    ("rebuild", "vault", "--yes"),
    ("publish",),
    ("rejected", "dismiss", "--why", "a test", "--offset", str(REFUSED[0])),
    ("storage", "show"),
    ("storage", "retain"),
]


def test_less_is_left_than_a_read_of_all_takes(ground: Ground) -> None:
    with pytest.raises(psycopg.errors.OutOfMemory):
        _other_session(ground, "SELECT count(*) FROM stg.order_events")


def test_full_table_is_a_sentence(ground: Ground) -> None:
    ground.leave(10)

    done = ground.call("check", "orders/messages_are_judged")

    ground.leave(LOCKS_LEFT)
    assert done.exit_code == 3, done.output
    assert "the server's table of locks is full" in done.output
    assert "max_locks_per_transaction (64) times" in done.output


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_locks_what_it_reads(ground: Ground, words: tuple[str, ...]) -> None:
    # Filled in here: the processes that share the tests must collect the same names.
    start, end = (f"{moment:%FT%T}" for moment in HOUR)
    values = {"topic": ground.topic, "start": start, "end": end}
    done = ground.call(*(word.format(**values) for word in words))

    assert done.exit_code == 0, done.output


def test_what_was_done(ground: Ground) -> None:
    """All of it was loaded and, but for the last log's end, dropped."""
    rows = _other_session(
        ground,
        "SELECT (SELECT count(*) FROM dds.h_order), (SELECT count(*) FROM"
        " ops.event_partitions WHERE dropped_dt IS NULL),"
        " (SELECT count(*) FROM ops.order_waits)",
    )
    (orders, kept, waiting), *_ = rows
    assert orders == PARTITIONS * POSITIONS - len(REFUSED)
    assert 0 < kept < 10
    assert waiting > 0


def _other_session(ground: Ground, query: str) -> list[Any]:
    dsn = ground.settings.dwh_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.execute(query).fetchall()


def _message(topic: str, offset: int) -> Message:
    value = example(Form.RAW, {"object_id": offset})
    at = THEN + timedelta(seconds=6 * offset)
    return Message(topic, 0, 0, offset, at, b"?" if offset in REFUSED else value, ())


def _send(broker: Broker, messages: list[Message]) -> None:
    client = broker.producer()
    for one in messages:
        stamp = int(one.broker_dt.timestamp() * 1000)
        client.send(one.topic, one.value, partition=0, timestamp_ms=stamp)
    client.flush()
    client.close()

"""How long a message takes to both marts under the running Airflow."""

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from rich.progress import Progress

from bench import orders
from bench.broker import open_producer, send
from bench.samples import Samples
from bench.services import RAW_TOPIC, Services, console
from palate.database import Connection, connect
from palate.names import HUB_KEY_NAMESPACE

# The warehouse of `make up` and of Airflow's Connection `dwh`.
DATABASE = "dwh"
_IN_STORE = orders.FIRST
_POLL_SECONDS = 0.05
# The first run may have to wait for the tick: every five minutes.
_SECONDS_TO_START = 400
_SECONDS_TO_ARRIVE = 400

_COUNTS = (
    "SELECT coalesce((SELECT order_cnt FROM cdm.user_product_counters"
    " WHERE user_id = %(guest)s AND product_id = %(dish)s), 0),"
    " coalesce((SELECT order_cnt FROM cdm.user_category_counters"
    " WHERE user_id = %(guest)s AND category_id = %(category)s), 0)"
)
_COMMITTED = (
    "SELECT b.stage, min(b.committed_dt)"
    " FROM ops.batches AS b INNER JOIN ops.batch_ranges AS r USING (batch_id)"
    " WHERE r.topic = %s AND r.kafka_partition = %s"
    " AND r.from_offset <= %s AND r.to_offset > %s AND NOT b.is_repeat"
    " GROUP BY b.stage"
)


@dataclass
class Latency:
    """Seconds from sending until both marts show a message, and until each commit."""

    every: float
    to_marts: Samples = field(default_factory=Samples)
    to_commit: dict[str, Samples] = field(default_factory=dict)


@dataclass
class _Sent:
    """A sent message, and the counters that show its arrival."""

    keys: dict[str, Any]
    before: tuple[int, int]
    at: float
    sent_dt: datetime
    record: Any


def measure(services: Services, *, messages: int, every: float) -> Latency:
    """Send messages to a loaded warehouse and watch the marts.

    A message is sent when it is due, whether or not the one before has arrived. The
    pauses vary by half, so that they don't synchronize with anything.

    :param every: seconds between two messages, on average
    :raises RuntimeError: if a message does not arrive
    """
    console.print("Starting Airflow ...")
    services.stack.up_airflow()
    settings = services.settings(DATABASE)
    chance = random.Random(datetime.now(UTC).toordinal())
    guests = chance.sample(range(orders.guests(_IN_STORE)), messages)
    result = Latency(every)
    with (
        connect(settings) as conn,
        Progress(console=console) as progress,
        open_producer(settings.kafka_bootstrap, linger_ms=0) as producer,
    ):
        load_history(services, conn, progress)
        task = progress.add_task("Messages", total=messages)
        under_way: list[_Sent] = []
        due = time.monotonic()
        while guests or under_way:
            if guests and time.monotonic() >= due:
                due += every * chance.uniform(0.5, 1.5)
                under_way.append(_send(conn, producer, guests.pop(), chance))
            for one in list(under_way):
                if _has_arrived(conn, one):
                    under_way.remove(one)
                    result.to_marts.values.append(time.monotonic() - one.at)
                    _add_commits(conn, one, result)
                    progress.advance(task)
                elif time.monotonic() - one.at > _SECONDS_TO_ARRIVE:
                    raise RuntimeError(f"A message did not arrive: {one.record}")
            time.sleep(_POLL_SECONDS)
    return result


def load_history(services: Services, conn: Connection, progress: Progress) -> None:
    """Let Airflow load the orders that must be in store, which also warms it up."""
    task = progress.add_task("Orders in store", total=_IN_STORE)
    if not _in_store(conn):
        services.fill_dictionary(_IN_STORE)
        send(services.stack.env()["KAFKA_BOOTSTRAP"], RAW_TOPIC, 0, _IN_STORE)
    deadline = time.monotonic() + _SECONDS_TO_START
    while (there := _in_store(conn)) < _IN_STORE:
        progress.update(task, completed=there)
        if time.monotonic() > deadline:
            raise RuntimeError(f"Airflow has loaded {there} of {_IN_STORE} orders.")
        time.sleep(1)
    progress.update(task, completed=_IN_STORE)


def _in_store(conn: Connection) -> int:
    """Return how many orders both marts have counted."""
    row = conn.execute(
        "SELECT least((SELECT count(*) FROM cdm.user_product_counters_counted),"
        " (SELECT count(*) FROM cdm.user_category_counters_counted))"
    ).fetchone()
    return int(row[0]) if row else 0


def _send(conn: Connection, producer: Any, guest: int, chance: random.Random) -> _Sent:
    made = orders.live_order(guest, chance)
    keys = {
        name: uuid5(HUB_KEY_NAMESPACE, business_key)
        for name, business_key in made.keys.items()
    }
    before = _counts(conn, keys)
    at, sent_dt = time.monotonic(), datetime.now(UTC)
    future = producer.send(
        RAW_TOPIC, made.message, partition=chance.randrange(orders.PARTITIONS)
    )
    return _Sent(keys, before, at, sent_dt, future.get(timeout=30))


def _has_arrived(conn: Connection, sent: _Sent) -> bool:
    counts = zip(_counts(conn, sent.keys), sent.before, strict=True)
    return all(now > before for now, before in counts)


def _counts(conn: Connection, keys: dict[str, Any]) -> tuple[int, int]:
    row = conn.execute(_COUNTS, keys).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _add_commits(conn: Connection, sent: _Sent, result: Latency) -> None:
    at = sent.record
    values = (RAW_TOPIC, at.partition, at.offset, at.offset)
    for stage, committed_dt in conn.execute(_COMMITTED, values):
        seconds = (committed_dt - sent.sent_dt).total_seconds()
        result.to_commit.setdefault(stage, Samples()).values.append(seconds)

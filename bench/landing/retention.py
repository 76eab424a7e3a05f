"""How long a COPY waits while retention tries to drop what a long reader holds."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from bench import orders
from bench.samples import Samples
from bench.services import RAW_TOPIC, Services, console, now
from bench.store import stage
from palate.database import Connection, connect
from palate.engine.outcome import Caller
from palate.landing import retention as storage
from palate.settings import Settings
from palate.vault import stage as vault
from tests.food import FOOD

_MESSAGES = 10_000
_POSITIONS = 500


@dataclass
class Waits:
    """The seconds of a COPY of one message, alone and beside retention."""

    alone: Samples = field(default_factory=Samples)
    beside: Samples = field(default_factory=Samples)


def measure(services: Services, *, repetitions: int) -> Waits:
    """Fill STG with old partitions; let retention fail at them several times.

    :raises RuntimeError: if it drops one in spite of the reader
    """
    database = "bench_retention"
    services.fresh_warehouse(database)
    settings = services.settings(database).model_copy(
        update={"palate_stg_partition_positions": _POSITIONS, "palate_stg_keep_days": 1}
    )
    stage(settings, _MESSAGES)
    vault.run(settings, FOOD, Caller.in_shell("vault"))
    waits = Waits()
    with (
        connect(settings) as reader,
        connect(settings) as live,
        ThreadPoolExecutor() as pool,
    ):
        for number in range(repetitions):
            console.print(f"Retention {number + 1} of {repetitions} ...")
            with reader.transaction():
                reader.execute("SELECT count(*) FROM stg.order_events")
                for _ in range(200):
                    _copy(live, waits.alone)
                retention = pool.submit(_retain, settings)
                for _ in _until(retention):
                    reader.execute("SELECT")  # an idle session would be terminated
                    _copy(live, waits.beside)
    return waits


def show(waits: Waits) -> None:
    """Print the waits."""
    table = Table("COPY of one message", "number", "median ms", "99 % ms", "longest ms")
    for name, found in (("alone", waits.alone), ("beside retention", waits.beside)):
        shown = (found.median, found.percentile(99), max(found.values))
        number = f"{len(found.values):,}"
        table.add_row(name, number, *(f"{value * 1000:.1f}" for value in shown))
    console.print(table)


def _retain(settings: Settings) -> None:
    if storage.retain(settings, Caller.in_shell("storage")).dropped:
        raise RuntimeError("Retention has dropped what somebody was reading.")


def _until(retention: "Future[Any]") -> Iterator[None]:
    while not retention.done():
        yield
    retention.result()


def _copy(conn: Connection, samples: Samples) -> None:
    # After the staged offsets: the last partition has room for it.
    partition, end = next(iter(orders.ends(_MESSAGES).items()))
    with (
        samples.timed(),
        conn.transaction(force_rollback=True),
        conn.cursor() as cursor,
        cursor.copy(
            "COPY stg.order_events (topic, epoch, kafka_partition, kafka_offset,"
            " broker_dt, staged_dt) FROM STDIN"
        ) as copy,
    ):
        copy.write_row((RAW_TOPIC, 0, partition, end, now(), now()))

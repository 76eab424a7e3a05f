"""The vault's largest table as one table, and cut by the order's number or its hash.

Tables beside the vault, of the same columns, keys and indexes as ``dds.s_order_item``,
with made lines of so many orders. What a batch does to them is what the vault and the
marts do, without what is the same for each layout.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.samples import Samples
from bench.services import Services, console
from palate.database import Connection, connect

DATABASE = "bench_layouts"
BATCH = 1_000

_CHUNK = 250_000
_TABLE = "dds.s_order_item"
# By how many partitions, and by what; one table is one partition.
LAYOUTS = {
    "one table": ("", 1),
    "5 ranges of order_id": ("RANGE", 5),
    "50 ranges of order_id": ("RANGE", 50),
    "16 hashes of order_id": ("HASH", 16),
}
# Lines of the orders from one number to another: 3.2 each, of 2,000 dishes.
_LINES = (
    "INSERT INTO dds.layout (h_order_pk, order_id, version_dt, hk_order_item_hashdiff,"
    " line_no, h_product_pk, product_name, quantity, price, load_dt, load_src)"
    " SELECT md5(o.id::text)::uuid, o.id, timestamp '2022-01-01' + {version},"
    " md5((o.id + %(salt)s)::text)::uuid, n,"
    " md5(((o.id * 7919 + n * 104729) %% 2000)::text)::uuid, 'Блюдо номер ' || n,"
    " 1 + (o.id + n) %% 5, 50 + (o.id + n) %% 900, clock_timestamp(), 'layouts'"
    " FROM {orders} AS o,"
    " generate_series(1, (ARRAY[1, 2, 3, 4, 6])[1 + o.id %% 5]) AS n"
    " ORDER BY o.id, n"
)
_NEW = _LINES.format(
    version="o.id * interval '12 seconds'",
    orders="(SELECT generate_series(%(start)s::bigint, %(end)s - 1) AS id)",
)
_LATE = _LINES.format(
    version="interval '10 years' + %(salt)s * interval '1 second'",
    orders="(SELECT unnest(%(ids)s::bigint[]) AS id)",
)
_OF_ORDERS = (
    "SELECT count(*), sum(i.quantity * i.price)"
    " FROM (SELECT unnest(%(ids)s::bigint[]) AS order_id) AS o"
    " INNER JOIN dds.layout AS i ON o.order_id = i.order_id"
)
_OF_DISH = (
    "SELECT count(DISTINCT order_id) FROM dds.layout"
    " WHERE h_product_pk = md5('17')::uuid"
)
_ALL = "SELECT h_product_pk, count(*), sum(quantity) FROM dds.layout GROUP BY 1"


@dataclass
class Layout:
    """What one layout costs: MiB, and milliseconds of each act, or seconds of all."""

    name: str
    fill_seconds: float = 0
    table_mib: int = 0
    index_mib: int = 0
    acts: dict[str, Samples] = field(default_factory=dict)


def measure(services: Services, *, orders: int, repetitions: int) -> Iterator[Layout]:
    """Fill each layout with the lines of so many orders, and yield what it costs."""
    services.fresh_warehouse(DATABASE)
    settings = services.settings(DATABASE)
    for name in LAYOUTS:
        console.print(f"{name}: filling ...")
        with connect(settings) as conn:
            yield _measure(services, conn, Layout(name), orders, repetitions)
            conn.execute("DROP TABLE dds.layout")


def show(layouts: list[Layout]) -> None:
    """Print a row per figure, a column per layout; batches with their spread."""
    names = [one.name for one in layouts]
    print(f"| | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    _row("filled, us per order's lines", [f"{one.fill_seconds:.1f}" for one in layouts])
    _row("table, MiB", [f"{one.table_mib:,}" for one in layouts])
    _row("indexes, MiB", [f"{one.index_mib:,}" for one in layouts])
    for act in layouts[0].acts:
        found = [one.acts[act] for one in layouts]
        _row(
            act,
            [
                f"{samples.median:.1f} ({min(samples.values):.1f} to "
                f"{max(samples.values):.1f})"
                for samples in found
            ],
        )


def _measure(
    services: Services, conn: Connection, found: Layout, orders: int, repetitions: int
) -> Layout:
    _make(conn, found.name, orders)
    start = time.perf_counter()
    for first in range(0, orders, _CHUNK):
        last = min(first + _CHUNK, orders)
        conn.execute(_NEW, {"start": first, "end": last, "salt": 0})
    found.fill_seconds = (time.perf_counter() - start) / orders * 1e6
    services.vacuum(DATABASE)
    row = conn.execute(
        "SELECT sum(pg_table_size(oid)) / 1048576, sum(pg_indexes_size(oid)) / 1048576"
        " FROM pg_class WHERE relname ~ '^layout(_[0-9]+)?$' AND relkind = 'r'"
    ).fetchone()
    found.table_mib, found.index_mib = (int(size) for size in row or (0, 0))
    chance = random.Random(orders)
    for number in range(repetitions):
        ids = chance.sample(range(orders), BATCH)
        first = orders + number * BATCH
        new = {"start": first, "end": first + BATCH, "salt": 0}
        for act, statement, values in (
            ("1,000 new orders, ms", _NEW, new),
            ("1,000 old orders changed, ms", _LATE, {"ids": ids, "salt": number + 1}),
            ("lines of 1,000 old orders read, ms", _OF_ORDERS, {"ids": ids}),
            ("orders of one dish found, ms", _OF_DISH, {}),
            ("all lines read and counted by dish, ms", _ALL, {}),
        ):
            with found.acts.setdefault(act, Samples()).timed(1e3):
                conn.execute(statement, values)
    return found


def _make(conn: Connection, name: str, orders: int) -> None:
    method, number = LAYOUTS[name]
    by = f" PARTITION BY {method} (order_id)" if method else ""
    conn.execute(
        f"CREATE TABLE dds.layout (LIKE {_TABLE} INCLUDING DEFAULTS INCLUDING INDEXES)"
        + by
    )
    for part in range(number if method else 0):
        if method == "HASH":
            bounds = f"WITH (MODULUS {number}, REMAINDER {part})"
        else:
            start = str(part * orders // number) if part else "MINVALUE"
            last = part == number - 1
            end = "MAXVALUE" if last else str((part + 1) * orders // number)
            bounds = f"FROM ({start}) TO ({end})"
        conn.execute(
            f"CREATE TABLE dds.layout_{part} PARTITION OF dds.layout"
            f" FOR VALUES {bounds}"
        )


def _row(name: str, cells: list[str]) -> None:
    print(f"| {name} | {' | '.join(cells)} |")

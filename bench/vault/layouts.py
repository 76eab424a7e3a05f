"""The largest tables of STG and of the vault, each in one table and in partitions.

Each layout has the real table's columns, keys and indexes, with generated rows of so
many orders. A batch does what the drain, the vault and the marts do, without what is
the same for each layout.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench.samples import Samples
from bench.services import Services, console
from palate.database import Connection, connect

DATABASE = "bench_layouts"

_CHUNK = 250_000


class Rows(StrEnum):
    """The table that the rows are of."""

    LINES = "lines"
    MESSAGES = "messages"


@dataclass(frozen=True)
class Cut:
    """A way to cut a table: PARTITION BY, and the bounds of each partition."""

    by: str = ""
    bounds: Callable[[int, int], str] = lambda _, __: ""
    parts: int = 0


@dataclass(frozen=True)
class Act:
    """A step of a batch: a statement, and its values for the nth repetition."""

    name: str
    statement: str
    values: Callable[[int, int], dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """A table, the statement that fills it by ranges of orders, and its steps."""

    table: str
    cuts: dict[str, Cut]
    fill: str
    acts: tuple[Act, ...]


@dataclass
class Layout:
    """The cost of one layout: MiB, and milliseconds of each step."""

    name: str
    fill_seconds: float = 0
    table_mib: int = 0
    index_mib: int = 0
    acts: dict[str, Samples] = field(default_factory=dict)


def measure(
    services: Services, rows: Rows, *, orders: int, repetitions: int
) -> Iterator[Layout]:
    """Fill each layout with the rows of so many orders, and yield its cost."""
    services.fresh_warehouse(DATABASE)
    settings = services.settings(DATABASE)
    subject = _SUBJECTS[rows]
    for name, cut in subject.cuts.items():
        console.print(f"{name}: filling ...")
        found = Layout(name)
        with connect(settings) as conn:
            _make(conn, subject, cut, orders)
            start = time.perf_counter()
            for first in range(0, orders, _CHUNK):
                last = min(first + _CHUNK, orders)
                conn.execute(subject.fill, {"start": first, "end": last, "salt": 0})
            found.fill_seconds = time.perf_counter() - start
            services.vacuum(DATABASE)
            row = conn.execute(
                "SELECT sum(pg_table_size(oid)) / 1048576,"
                " sum(pg_indexes_size(oid)) / 1048576 FROM pg_class"
                " WHERE relname ~ '^layout(_[0-9]+)?$' AND relkind = 'r'"
            ).fetchone()
            found.table_mib, found.index_mib = (int(size) for size in row or (0, 0))
            for number in range(repetitions):
                for act in subject.acts:
                    with found.acts.setdefault(act.name, Samples()).timed(1e3):
                        conn.execute(act.statement, act.values(number, orders))
            with found.acts.setdefault("a fifth dropped", Samples()).timed(1e3):
                _drop_a_fifth(services, conn, cut, orders)
            conn.execute("DROP TABLE public.layout")
        yield found


def show(layouts: list[Layout], orders: int) -> None:
    """Print a row per figure, a column per layout; batches with their spread."""
    names = [one.name for one in layouts]
    print(f"| | {' | '.join(names)} |\n|---|{'--:|' * len(names)}")
    each = [one.fill_seconds / orders * 1e6 for one in layouts]
    _row("filled, us per order", [f"{one:.1f}" for one in each])
    _row("table, MiB", [f"{one.table_mib:,}" for one in layouts])
    _row("indexes, MiB", [f"{one.index_mib:,}" for one in layouts])
    for act in layouts[0].acts:
        _row(f"{act}, ms", [_spread(one.acts[act]) for one in layouts])


def _make(conn: Connection, subject: Subject, cut: Cut, orders: int) -> None:
    conn.execute(
        f"CREATE TABLE public.layout (LIKE {subject.table} INCLUDING DEFAULTS"
        f" INCLUDING INDEXES) {cut.by}"
    )
    for part in range(cut.parts):
        conn.execute(
            f"CREATE TABLE public.layout_{part} PARTITION OF public.layout"
            f" FOR VALUES {cut.bounds(part, orders)}"
        )


def _drop_a_fifth(services: Services, conn: Connection, cut: Cut, orders: int) -> None:
    """Remove the oldest fifth: as whole partitions if possible, else row by row."""
    if cut.by.startswith("PARTITION BY RANGE"):
        for part in range(cut.parts // 5):
            conn.execute(f"DROP TABLE public.layout_{part}")
        return
    number = "kafka_offset" if "kafka_offset" in _columns(conn) else "order_id"
    conn.execute(f"DELETE FROM public.layout WHERE {number} < %s", (orders // 5,))
    services.vacuum(DATABASE)


def _columns(conn: Connection) -> set[str]:
    rows = conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'public.layout'::regclass"
    ).fetchall()
    return {name for (name,) in rows}


def _ranges(parts: int, prefix: str = "") -> Callable[[int, int], str]:
    def bounds(part: int, orders: int) -> str:
        start, end = (edge * orders // parts for edge in (part, part + 1))
        last = 2**62 if part == parts - 1 else end  # new rows go to the last one
        return f"FROM ({prefix}{start}) TO ({prefix}{last})"

    return bounds


def _hashes(parts: int) -> Callable[[int, int], str]:
    return lambda part, _: f"WITH (MODULUS {parts}, REMAINDER {part})"


def _new(size: int) -> Callable[[int, int], dict[str, Any]]:
    def values(number: int, orders: int) -> dict[str, Any]:
        start = orders + number * size
        return {"start": start, "end": start + size, "salt": 0}

    return values


def _old(number: int, orders: int) -> dict[str, Any]:
    ids = random.Random(number).sample(range(orders // 5, orders), 1_000)
    return {"ids": ids, "salt": number + 1}


def _old_range(number: int, orders: int) -> dict[str, Any]:
    start = random.Random(number).randrange(orders // 5, orders - 20_000)
    return {"start": start, "end": start + 20_000}


def _row(name: str, cells: list[str]) -> None:
    print(f"| {name} | {' | '.join(cells)} |")


def _spread(samples: Samples) -> str:
    if len(samples.values) == 1:
        return f"{samples.median:,.0f}"
    least, most = min(samples.values), max(samples.values)
    return f"{samples.median:,.1f} ({least:,.1f} to {most:,.1f})"


# Lines of the orders from one number to another: 3.2 each, of 2,000 dishes.
_LINES = (
    "INSERT INTO public.layout (h_order_pk, order_id, version_dt,"
    " hk_order_item_hashdiff, line_no, h_product_pk, product_name, quantity, price,"
    " load_dt, load_src)"
    " SELECT md5(o.id::text)::uuid, o.id, timestamp '2022-01-01' + {version},"
    " md5((o.id + %(salt)s)::text)::uuid, n,"
    " md5(((o.id * 7919 + n * 104729) %% 2000)::text)::uuid, 'Блюдо номер ' || n,"
    " 1 + (o.id + n) %% 5, 50 + (o.id + n) %% 900, clock_timestamp(), 'layouts'"
    " FROM {orders} AS o,"
    " generate_series(1, (ARRAY[1, 2, 3, 4, 6])[1 + o.id %% 5]) AS n"
    " ORDER BY o.id, n"
)
_NEW_LINES = _LINES.format(
    version="o.id * interval '12 seconds'",
    orders="(SELECT generate_series(%(start)s::bigint, %(end)s - 1) AS id)",
)
_CHANGED_LINES = _LINES.format(
    version="interval '10 years' + %(salt)s * interval '1 second'",
    orders="(SELECT unnest(%(ids)s::bigint[]) AS id)",
)
# Messages of 900 bytes at the positions of one log.
_MESSAGES = (
    "INSERT INTO public.layout (topic, epoch, kafka_partition, kafka_offset, broker_dt,"
    " message, staged_dt)"
    " SELECT 'orders', 0, 0, n, timestamptz '2022-01-01' + n * interval '12 seconds',"
    " convert_to(repeat(md5(n::text), 28), 'UTF8'), clock_timestamp()"
    " FROM generate_series(%(start)s::bigint, %(end)s - 1) AS n"
)

_SUBJECTS = {
    Rows.LINES: Subject(
        table="dds.s_order_item",
        cuts={
            "one table": Cut(),
            "5 ranges of order_id": Cut("PARTITION BY RANGE (order_id)", _ranges(5), 5),
            "16 hashes of order_id": Cut(
                "PARTITION BY HASH (order_id)", _hashes(16), 16
            ),
        },
        fill=_NEW_LINES,
        acts=(
            Act("1,000 new orders", _NEW_LINES, _new(1_000)),
            Act("1,000 old orders changed", _CHANGED_LINES, _old),
            Act(
                "lines of 1,000 old orders read",
                "SELECT count(*), sum(i.quantity * i.price)"
                " FROM (SELECT unnest(%(ids)s::bigint[]) AS order_id) AS o"
                " INNER JOIN public.layout AS i ON o.order_id = i.order_id",
                _old,
            ),
            Act(
                "orders of one dish found",
                "SELECT count(DISTINCT order_id) FROM public.layout"
                " WHERE h_product_pk = md5('17')::uuid",
                lambda _, __: {},
            ),
            Act(
                "all lines counted by dish",
                "SELECT h_product_pk, count(*), sum(quantity) FROM public.layout"
                " GROUP BY h_product_pk",
                lambda _, __: {},
            ),
        ),
    ),
    Rows.MESSAGES: Subject(
        table="stg.order_events",
        cuts={
            "one table": Cut(),
            "5 ranges of positions": Cut(
                "PARTITION BY RANGE (topic, epoch, kafka_partition, kafka_offset)",
                _ranges(5, "'orders', 0, 0, "),
                5,
            ),
            "16 hashes of the offset": Cut(
                "PARTITION BY HASH (kafka_offset)", _hashes(16), 16
            ),
        },
        fill=_MESSAGES,
        acts=(
            Act("20,000 new messages", _MESSAGES, _new(20_000)),
            Act(
                "20,000 positions read",
                "SELECT sum(length(message)) FROM public.layout"
                " WHERE topic = 'orders' AND epoch = 0 AND kafka_partition = 0"
                " AND kafka_offset >= %(start)s AND kafka_offset < %(end)s",
                _old_range,
            ),
        ),
    ),
}

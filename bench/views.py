"""What people pay who read the vault's views: whole, and by order, guest, dish or day.

A whole read hands over all rows, by COPY, as a multiple of reading the largest table so
once, ``dds.s_order_item``. ``count(*)`` of both, which hands over nothing, is shown
beside it. Neither has parallel workers, which would hide work. Small reads are in
milliseconds, with their planning.
"""

from dataclasses import dataclass, field

import psycopg
from rich.table import Table

from bench import growth
from bench.results import Limits
from bench.samples import Samples
from bench.services import Services, console
from palate.migrate import migrate

LINES = "v_order_item"
TABLE = "s_order_item"
WHOLE, COUNTED = "all", "all, counted"
OF_TABLE = Limits(10, 4)
PER_LINE = Limits(1.3, 1.3)
VIEWS = (
    *("v_order", LINES, "v_order_status", "v_product_name", "v_product_category"),
    *("v_user_name", "v_restaurant_name"),
)
# What a small read asks for; the values are those of one line in the middle.
_SMALL = {
    LINES: {
        "one order": "order_id = %(order_id)s",
        "one guest": "user_id = %(user_id)s",
        "one dish": "product_id = %(product_id)s",
        "one hour": "order_dt >= %(hour)s AND order_dt < %(hour)s + interval '1 hour'",
        "one day": "order_dt >= %(day)s AND order_dt < %(day)s + interval '1 day'",
    },
    "v_order": {
        "one order": "order_id = %(order_id)s",
        "one guest": "user_id = %(user_id)s",
        "one hour": "order_dt >= %(hour)s AND order_dt < %(hour)s + interval '1 hour'",
        "one day": "order_dt >= %(day)s AND order_dt < %(day)s + interval '1 day'",
    },
    "v_order_status": {"one order": "order_id = %(order_id)s"},
    "v_product_name": {"one dish": "product_id = %(product_id)s"},
    "v_product_category": {"one dish": "h_product_pk = %(h_product_pk)s"},
    "v_user_name": {"one guest": "user_id = %(user_id)s"},
    "v_restaurant_name": {"one restaurant": "restaurant_id = %(restaurant_id)s"},
}
_MIDDLE = (
    "SELECT i.order_id, i.user_id, i.product_id, i.restaurant_id, p.h_product_pk,"
    " date_trunc('hour', i.order_dt) AS hour, date_trunc('day', i.order_dt) AS day"
    " FROM dds.v_order_item AS i INNER JOIN dds.h_product AS p USING (product_id)"
    " WHERE i.order_id = (SELECT order_id FROM dds.h_order ORDER BY order_id"
    " OFFSET (SELECT count(*) / 2 FROM dds.h_order) LIMIT 1) LIMIT 1"
)


@dataclass
class Read:
    """The rows that one read gave, and its seconds in each turn."""

    rows: int = 0
    seconds: Samples = field(default_factory=Samples)


@dataclass
class Reads:
    """What was read with so many orders in store: (view, what of it) to its times."""

    orders: int
    reads: dict[tuple[str, str], Read] = field(default_factory=dict)

    def ratios(self, view: str, part: str) -> Samples:
        """Return how many times the same read of the table each read took."""
        table = self.reads[TABLE, part].seconds.values
        pairs = zip(self.reads[view, part].seconds.values, table, strict=True)
        return Samples([mine / its for mine, its in pairs])

    @property
    def per_line(self) -> float:
        """Return the seconds of a whole read of the lines, for each line."""
        read = self.reads[LINES, WHOLE]
        return read.seconds.median / read.rows


def measure(services: Services, *, sizes: list[int], repetitions: int) -> list[Reads]:
    """Fill a store to each size, and read from them in turns.

    :param sizes: orders in store, ascending
    :param repetitions: of each read; a ratio is that of one turn
    """
    services.fill_dictionary(sizes[-1])
    below = None
    for size in sizes:
        if not services.has_database(growth.store(size)):
            growth.fill(services, size, below)
        migrate(services.settings(growth.store(size)))
        services.vacuum(growth.store(size))
        below = size
    found = {size: Reads(size) for size in sizes}
    for turn in range(repetitions + 1):
        for size in sizes:
            # The first turn warms the cache.
            _turn(services, found[size] if turn else Reads(size))
    return list(found.values())


def show(found: list[Reads]) -> None:
    """Print a line per view and read, and how they compare with their limits."""
    for one in found:
        table = Table(title=f"{one.orders:,} orders", title_justify="left")
        for name in ("", "of it", "rows", "ms", "least to greatest", f"x {TABLE}"):
            table.add_column(name, justify="left" if name in ("", "of it") else "right")
        for (view, part), read in one.reads.items():
            times = [value * 1e3 for value in read.seconds.values]
            ratio = ""
            if part in (WHOLE, COUNTED):
                ratio = f"{one.ratios(view, part).median:.2f}"
            table.add_row(
                view,
                part,
                f"{read.rows:,}",
                f"{read.seconds.median * 1e3:.3g}",
                f"{min(times):.3g} to {max(times):.3g}",
                ratio,
            )
        console.print(table)
        verdict = OF_TABLE.verdict(one.ratios(LINES, WHOLE).median)
        print(f"{one.orders:,} orders, all of {LINES}: {verdict}")
    first, last = found[0], found[-1]
    ratio = last.per_line / first.per_line
    print(
        f"A line with {last.orders:,} orders costs {ratio:.2f} times one with "
        f"{first.orders:,}: {PER_LINE.verdict(ratio)}"
    )


def _turn(services: Services, reads: Reads) -> None:
    dsn = services.settings(growth.store(reads.orders)).dwh_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET max_parallel_workers_per_gather = 0")
        for name in (TABLE, *VIEWS):
            read = reads.reads.setdefault((name, COUNTED), Read())
            with read.seconds.timed():
                row = conn.execute(f"SELECT count(*) FROM dds.{name}").fetchone()
            read.rows = row[0] if row else 0
            whole = reads.reads.setdefault((name, WHOLE), Read(read.rows))
            query = f"COPY (SELECT * FROM dds.{name}) TO STDOUT"
            with whole.seconds.timed(), conn.cursor().copy(query) as rows:
                for _ in rows:
                    pass
        cursor = conn.execute(_MIDDLE)
        names = [column.name for column in cursor.description or ()]
        values = dict(zip(names, cursor.fetchone() or (), strict=True))
        for name, parts in _SMALL.items():
            for part, condition in parts.items():
                read = reads.reads.setdefault((name, part), Read())
                query = f"SELECT * FROM dds.{name} WHERE {condition}"
                with read.seconds.timed():
                    read.rows = conn.execute(query, values).rowcount

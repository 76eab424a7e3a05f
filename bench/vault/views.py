"""The cost of reading the vault's views: whole, and by order, guest, dish or day.

A whole read returns all rows, by COPY, as a multiple of reading the largest table so
once, ``dds.s_order_item``. ``count(*)`` of both, which returns no rows, is shown beside
it. Neither has parallel workers, which would hide work. Small reads are in
milliseconds, including planning. Sessions have PostgreSQL's own defaults, as analysts
do. The cost of indexes for readers only: the vault's time for new orders with them, as
a multiple of its time without.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from bench.results import Figure, Limits
from bench.samples import Samples
from bench.services import Services
from bench.store import stage
from bench.system import growth
from palate.counted import counted
from palate.engine.outcome import Caller
from palate.schema.migrate import migrate
from palate.vault import stage as vault
from tests.food import FOOD

LINES = "v_order_item"
TABLE = "s_order_item"
WHOLE, COUNTED = "all", "all, counted"
OF_TABLE = Limits(10, 4)
PER_LINE = Limits(1.3, 1.3)
VIEWS = (
    *("v_order", LINES, "v_order_status", "v_product_name", "v_product_category"),
    *("v_user_name", "v_restaurant_name"),
)
# The keys of small reads are those of one line in the middle. There are 7,200 orders a
# day; a 365th of the time has what a day has if all make up a year.
_SMALL = {
    LINES: {
        "one order": "order_id = %(order_id)s",
        "one guest": "user_id = %(user_id)s",
        "one dish": "product_id = %(product_id)s",
        "one hour": "order_dt >= %(hour)s AND order_dt < %(hour)s + interval '1 hour'",
        "a 365th": "order_dt >= %(day)s AND order_dt < %(day)s + %(day_of_year)s",
        "one day": "order_dt >= %(day)s AND order_dt < %(day)s + interval '1 day'",
    },
    "v_order": {
        "one order": "order_id = %(order_id)s",
        "one guest": "user_id = %(user_id)s",
        "one hour": "order_dt >= %(hour)s AND order_dt < %(hour)s + interval '1 hour'",
        "a 365th": "order_dt >= %(day)s AND order_dt < %(day)s + %(day_of_year)s",
        "one day": "order_dt >= %(day)s AND order_dt < %(day)s + interval '1 day'",
    },
    "v_order_status": {"one order": "order_id = %(order_id)s"},
    "v_product_name": {"one dish": "product_id = %(product_id)s"},
    "v_product_category": {"one dish": "h_product_pk = %(h_product_pk)s"},
    "v_user_name": {"one guest": "user_id = %(user_id)s"},
    "v_restaurant_name": {"one restaurant": "restaurant_id = %(restaurant_id)s"},
}
_DATABASE = "bench_views"
_LOADED = 50_000
_FOR_READERS = (
    *("h_order_order_dt_idx", "s_order_version_h_user_pk_idx", "h_user_user_id_idx"),
    *("h_product_product_id_idx", "h_restaurant_restaurant_id_idx"),
    "h_category_category_name_idx",
)
_DEFAULTS = (
    "SELECT set_config(name, boot_val, FALSE) FROM pg_settings WHERE name IN ('jit',"
    " 'work_mem', 'random_page_cost', 'effective_cache_size')"
)
_MIDDLE = (
    "SELECT i.order_id, i.user_id, i.product_id, i.restaurant_id, p.h_product_pk,"
    " date_trunc('hour', i.order_dt) AS hour, date_trunc('day', i.order_dt) AS day,"
    " (SELECT max(order_dt) - min(order_dt) FROM dds.h_order) / 365 AS day_of_year"
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
    """The reads with so many orders in store: (view, what of it) to its times."""

    orders: int
    reads: dict[tuple[str, str], Read] = field(default_factory=dict)

    def ratios(self, view: str, part: str) -> Samples:
        """Return how many times the same read of the table each read took."""
        table = self.reads[TABLE, part].seconds.values
        pairs = zip(self.reads[view, part].seconds.values, table, strict=True)
        return Samples([mine / its for mine, its in pairs])

    @property
    def per_line(self) -> Samples:
        """Return the seconds of a whole read of the lines, per line."""
        read = self.reads[LINES, WHOLE]
        return Samples([value / read.rows for value in read.seconds.values])


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


def measure_loads(services: Services, *, repetitions: int) -> dict[bool, Samples]:
    """Return the vault's seconds per new order, with readers' indexes and without."""
    found = {False: Samples(), True: Samples()}
    settings = services.settings(_DATABASE)
    services.fill_dictionary(_LOADED)
    for _ in range(repetitions):
        for indexed, samples in found.items():
            services.fresh_warehouse(_DATABASE)
            if not indexed:
                with services.superuser(_DATABASE) as connection:
                    for name in _FOR_READERS:
                        connection.execute(f"DROP INDEX dds.{name}")
            stage(settings, _LOADED)
            services.checkpoint()
            with samples.timed(1 / _LOADED):
                vault.run(settings, FOOD, Caller.in_shell(FOOD.vault))
    services.drop_database(_DATABASE)
    return found


def figures(found: list[Reads], loads: dict[bool, Samples]) -> Iterator[Figure]:
    """Yield a line per view and read, and what the indexes cost."""
    first, last = found[0], found[-1]
    case = f"a line of {LINES}, {last.orders:,} in store"
    pairs = zip(last.per_line.values, first.per_line.values, strict=True)
    ratios = Samples([its / of_first for its, of_first in pairs])
    yield _figure(case, ratios, f"x {first.orders:,}", PER_LINE)
    pairs = zip(loads[True].values, loads[False].values, strict=True)
    ratios = Samples([with_ / without for with_, without in pairs])
    yield _figure("the vault, with readers' indexes", ratios, "x without")
    for indexed, samples in loads.items():
        case = f"the vault, {'with' if indexed else 'without'} readers' indexes"
        yield _figure(case, Samples([1e6 * v for v in samples.values]), "us/order")
    for one in found:
        for (view, part), read in one.reads.items():
            case = (
                f"{one.orders:,} in store: {view}, {part}: {counted(read.rows, 'row')}"
            )
            if part in (WHOLE, COUNTED) and view != TABLE:
                limits = OF_TABLE if (view, part) == (LINES, WHOLE) else None
                yield _figure(case, one.ratios(view, part), f"x {TABLE}", limits)
            yield _figure(case, Samples([1e3 * v for v in read.seconds.values]), "ms")


def _figure(
    case: str, samples: Samples, unit: str, limits: Limits | None = None
) -> Figure:
    return Figure("views", case, samples.median, unit, samples.values, limits)


def _turn(services: Services, reads: Reads) -> None:
    dsn = services.settings(growth.store(reads.orders)).dwh_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET max_parallel_workers_per_gather = 0")
        conn.execute(_DEFAULTS)
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

"""What it costs when one dish moves to another category, long after it was ordered.

Every restaurant has the dish on its menu, in place of its first one, so that it is one
of 50 dishes in every order: 2 % of all lines. The move is dated at the middle of the
orders' time: half of its orders count anew, and nothing else may.
"""

import json
import re
from dataclasses import dataclass, field

import redis
from rich.table import Table

from bench import orders
from bench.samples import Samples
from bench.services import Services, console
from bench.store import stage, staged
from palate import pipelines
from palate.database import connect
from palate.engine.outcome import Caller
from palate.marts import compare
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.settings import Settings
from palate.vault import stage as vault
from tests.food import FOOD

_CHUNK = 50_000
_MART = "user_category_counters"


@dataclass
class Moves:
    """The seconds of each move, and the orders that it touched.

    ``concerned`` is how many orders it had to touch, ``changed`` how many rows of the
    marts and their side tables were written.
    """

    orders: int
    lines: int
    lines_of_dish: int
    sync: Samples = field(default_factory=Samples)
    marts: dict[str, Samples] = field(default_factory=dict)
    rebuild: Samples = field(default_factory=Samples)
    touched: list[int] = field(default_factory=list)
    concerned: list[int] = field(default_factory=list)
    changed: list[dict[str, int]] = field(default_factory=list)


def measure(services: Services, *, number: int, repetitions: int) -> Moves:
    """Load so many orders, then move the dish repeatedly, and rebuild once.

    :raises RuntimeError: if a mart differs from the vault, or the wrong number of
        orders was touched
    """
    settings = _filled(services, number)
    found = Moves(number, *_lines(settings))
    for repetition in range(repetitions):
        moment = orders.made_at(number // 2 + repetition)
        _move(services, moment, f"Категория {repetition + 1}")
        with found.sync.timed(1):
            pipelines.look_up_all(settings, Caller.in_shell("dictionaries"))
        found.concerned.append(_concerned(settings, moment))
        changed = {}
        for name in load_marts("food"):
            before = _transaction(settings)
            with found.marts.setdefault(name, Samples()).timed(1):
                outcome = marts.run(settings, name, Caller.in_shell(name))
            changed |= _written(settings, name, before)
            if name == _MART:
                found.touched.append(outcome.counts["touched_orders"])
        found.changed.append(changed)
    with found.rebuild.timed(1):
        marts.rebuild(settings, _MART, Caller.in_shell("rebuild"))
    for name in load_marts("food"):
        if compare.differences(settings, name)[0]:
            raise RuntimeError(f"{name} differs from the vault.")
    if found.touched != found.concerned:
        raise RuntimeError(f"Touched {found.touched}, concerned {found.concerned}.")
    return found


def show(found: Moves) -> None:
    """Print a line per figure."""
    table = Table("figure", "median", "each")
    share = found.lines_of_dish / found.lines
    table.add_row("orders in store", f"{found.orders:,}", "")
    table.add_row("lines of the dish", f"{found.lines_of_dish:,}", f"{share:.1%}")
    table.add_row("orders concerned", "", _list(found.concerned))
    table.add_row("orders touched", "", _list(found.touched))
    for name in found.changed[0]:
        table.add_row(
            f"rows written, {name}", "", _list([one[name] for one in found.changed])
        )
    for name, seconds in {
        "dictionaries and vault": found.sync,
        **found.marts,
        f"rebuild of {_MART}": found.rebuild,
    }.items():
        each = ", ".join(f"{one:.2f}" for one in seconds.values)
        table.add_row(f"{name}, s", f"{seconds.median:.2f}", each)
    ratio = found.marts[_MART].median / found.rebuild.median
    table.add_row("a move / a rebuild", f"{ratio:.2f}", "")
    console.print(table)


def _filled(services: Services, number: int) -> Settings:
    database = f"bench_move_{number}"
    settings = services.settings(database)
    with redis.Redis.from_url(services.stack.env()["REDIS_URL"]) as client:
        for key, entry in orders.dictionary(number):
            client.set(key, _as_popular(entry.encode()))
    if not services.has_database(database):
        services.fresh_warehouse(database)
    wanted = orders.messages_for(number)
    while (there := staged(settings)) < wanted:
        console.print(f"{wanted - there} messages to load ...")
        stage(settings, min(_CHUNK, wanted - there), popular_message)
        _load(settings)
    _load(settings)
    services.vacuum(database)
    return settings


def _load(settings: Settings) -> None:
    vault.run(settings, FOOD, Caller.in_shell("vault"))
    pipelines.look_up(settings, Caller.in_shell("dictionaries"))
    for name in load_marts("food"):
        marts.run(settings, name, Caller.in_shell(name))


def popular_message(number: int) -> bytes:
    """Return the message of that number, with the dish that everybody has."""
    return _as_popular(orders.message(number))


def _as_popular(message: bytes) -> bytes:
    return _FIRST_DISHES.sub(_POPULAR, message)


def _move(services: Services, moment: str, category: str) -> None:
    """Write a menu of the first restaurant that moves the dish since a time."""
    key, entry = next(orders.dictionary(0))
    menu = json.loads(entry)
    menu["update_ts_utc"] = moment
    menu["menu"][0]["category"] = category
    with redis.Redis.from_url(services.stack.env()["REDIS_URL"]) as client:
        client.set(key, json.dumps(menu))


def _lines(settings: Settings) -> tuple[int, int]:
    with connect(settings) as conn:
        row = conn.execute(
            "SELECT count(*), count(*) FILTER (WHERE product_id = %s)"
            " FROM dds.s_order_item INNER JOIN dds.h_product USING (h_product_pk)",
            (_POPULAR.decode(),),
        ).fetchone()
    return row or (0, 0)


def _concerned(settings: Settings, moment: str) -> int:
    """Count, from the views, the closed orders that have the dish since a time."""
    with connect(settings) as conn:
        row = conn.execute(
            "SELECT count(*) FROM dds.h_order AS h"
            " WHERE h.order_dt >= %s AND EXISTS (SELECT 1 FROM dds.v_order_item AS i"
            " WHERE i.h_order_pk = h.h_order_pk AND i.product_id = %s)"
            " AND EXISTS (SELECT 1 FROM dds.v_order AS o"
            " WHERE o.h_order_pk = h.h_order_pk AND o.status = 'CLOSED')",
            (moment, _POPULAR.decode()),
        ).fetchone()
    return row[0] if row else 0


def _transaction(settings: Settings) -> int:
    with connect(settings) as conn:
        row = conn.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    return row[0] if row else 0


def _written(settings: Settings, name: str, before: int) -> dict[str, int]:
    """Count the rows written since a transaction; nobody else writes."""
    tables = load_marts("food")[name].tables
    found = {}
    with connect(settings) as conn:
        for table in tables:
            row = conn.execute(
                f"SELECT count(*) FROM cdm.{table} WHERE xmin::text::bigint > %s",
                (before % 2**32,),
            ).fetchone()
            found[table] = row[0] if row else 0
    return found


def _list(numbers: list[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


_FIRST_DISHES = re.compile(b"|".join(dish.encode() for dish in orders.first_dishes()))
_POPULAR = orders.first_dishes()[0].encode()

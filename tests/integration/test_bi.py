"""The queries of docs/bi.md, asked as a reader, say what the sent orders say."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from deploy.local.stack import Stack
from deploy.superset.archive import BUNDLE
from palate.simulate.truth import key_of
from tests.integration.staged import load, set_rules, with_topics
from tests.model.history import Rule
from tests.reader_login import reader_login
from tests.season import Order, Season
from tests.warehouses import MakeWarehouse

PAGE = (Path(__file__).parents[2] / "docs" / "bi.md").read_text(encoding="utf-8")
SQL = r"^```sql\n(.*?)^```$"
PARTS = re.split(r"^### (\d+)\. ", PAGE, flags=re.MULTILINE)
QUESTIONS = {
    int(number): re.findall(SQL, text, re.MULTILINE | re.DOTALL)
    for number, text in zip(PARTS[1::2], PARTS[2::2], strict=True)
}
DATASETS = sorted(BUNDLE.glob("datasets/*/*.yaml"))
UNTIL = datetime(2023, 9, 1, tzinfo=UTC)
AUGUST = datetime(2023, 8, 1)
PIZZA = "Пицца"
RULES = [
    Rule("category", PIZZA, 8, "Любитель пиццы"),
    Rule("category", "Супы", 8, "Любитель супов"),
]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Asked:
    """A filled warehouse as a reader sees it, and what was sent."""

    conn: psycopg.Connection[Row]
    season: Season


@pytest.fixture(scope="module")
def asked(make_warehouse: MakeWarehouse, services: Stack) -> Iterator[Asked]:
    """Fill a warehouse; connect to it by a login that may only read."""
    with make_warehouse() as settings:
        season = Season(orders=2_000, days=90, until=UNTIL)
        season.fill(settings, [replace(rule, threshold=3) for rule in RULES])
        dsn = settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn) as owner:
            set_rules(owner, RULES)  # many lose their tags
        load(with_topics(settings), "with the rules of now")
        with reader_login(services, dsn) as login, psycopg.connect(login) as conn:
            yield Asked(conn, season)


def test_page_has_ten_questions_with_one_query_each() -> None:
    assert list(QUESTIONS) == list(range(1, 11))
    assert {len(found) for found in QUESTIONS.values()} == {1}


def test_page_tells_how_fresh_the_marts_are(asked: Asked) -> None:
    query, *_ = re.findall(SQL, PARTS[0], re.MULTILINE | re.DOTALL)
    found = dict(asked.conn.execute(query).fetchall())
    assert set(found) == {"mart:user_category_counters", "mart:user_product_counters"}


def test_page_names_the_columns_that_there_are(asked: Asked) -> None:
    found = defaultdict(set)
    for table, column in asked.conn.execute(
        "SELECT table_schema || '.' || table_name, column_name"
        " FROM information_schema.columns"
    ):
        found[table].add(column)
    rows = re.findall(r"^\| (`(?:cdm|dds)\..*?) \| .*? \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 13
    for tables, columns in rows:
        there = set().union(*(found[table] for table in re.findall(r"`(.+?)`", tables)))
        assert set(re.findall(r"`(\w+)`", columns)) - there == set(), tables


@pytest.mark.parametrize("path", DATASETS, ids=lambda path: path.stem)
def test_reader_can_ask_each_dataset_of_superset(asked: Asked, path: Path) -> None:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    source = f"({found['sql']})" if "sql" in found else "cdm." + found["table_name"]
    columns = [one.get("expression", one["column_name"]) for one in found["columns"]]
    metrics = [one["expression"] for one in found["metrics"]]
    for asked_for in (columns, metrics):
        query = f"SELECT {', '.join(asked_for)} FROM {source} AS of_superset"
        assert asked.conn.execute(query).fetchall()


def _categories(season: Season) -> list[Row]:
    guests, orders = defaultdict(set), Counter[str]()
    for order in season.closed:
        for category in order.categories:
            guests[category].add(order.user_id)
            orders[category] += 1
    pairs = sum(len(found) for found in guests.values())
    return [
        (
            name,
            len(guests[name]),
            count,
            _rounded(100 * Decimal(len(guests[name])) / pairs, "0.1"),
            _rounded(100 * Decimal(count) / orders.total(), "0.1"),
        )
        for name, count in sorted(orders.items(), key=lambda one: (-one[1], one[0]))
    ]


def _dishes(season: Season) -> list[Row]:
    guests, orders, pieces = defaultdict(set), Counter[str](), Counter[str]()
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for order in season.closed:
        for product in order.products:
            guests[product].add(order.user_id)
            orders[product] += 1
        for line in order.lines:
            pieces[line.product_id] += line.quantity
            amounts[line.product_id] += line.quantity * line.price
    ranked = sorted(orders, key=lambda product: (-orders[product], key_of(product).int))
    return [
        (
            season.dish_names[product],
            len(guests[product]),
            orders[product],
            pieces[product],
            amounts[product],
        )
        for product in ranked[:20]
    ]


def _pizza_guests(season: Season) -> list[Row]:
    orders, amounts = Counter[str](), defaultdict(Decimal)
    for order in season.closed:
        for line in order.lines:
            if line.category == PIZZA:
                amounts[order.user_id] += line.quantity * line.price
        if PIZZA in order.categories:
            orders[order.user_id] += 1
    ranked = sorted(
        orders, key=lambda user: (-orders[user], -amounts[user], key_of(user).int)
    )
    return [
        (user, season.guest_names[user], orders[user], amounts[user])
        for user in ranked[:10]
    ]


def _pizza_lovers(season: Season) -> list[Row]:
    orders = Counter(
        order.user_id for order in season.closed if PIZZA in order.categories
    )
    lovers = sorted(user for user, count in orders.items() if count >= 8)
    return [(user, season.guest_names[user]) for user in lovers]


def _days(season: Season) -> list[Row]:
    orders, revenue = Counter[date](), defaultdict(Decimal)
    for order in _of_august(season.closed):
        orders[order.order_dt.date()] += 1
        revenue[order.order_dt.date()] += order.payment
    return [(day, orders[day], revenue[day]) for day in sorted(orders)]


def _new_guests(season: Season) -> list[Row]:
    guests = defaultdict(set)
    for order in season.closed:
        guests[order.order_dt.date()].add(order.user_id)
    seen: set[str] = set()
    rows = []
    for day in sorted(guests):
        rows.append((day, len(guests[day] - seen), len(guests[day] & seen)))
        seen |= guests[day]
    return rows


def _bills(season: Season) -> list[Row]:
    bills = defaultdict(list)
    for order in _of_august(season.closed):
        bills[order.restaurant_id].append(order.cost)
    rows = [
        (_rounded(sum(costs, Decimal(0)) / len(costs), "0.01"), restaurant, len(costs))
        for restaurant, costs in bills.items()
    ]
    return [
        (season.restaurant_names[restaurant], count, average)
        for average, restaurant, count in sorted(rows, key=lambda row: (-row[0], row))
    ]


def _together(season: Season) -> list[Row]:
    pairs = Counter(
        pair
        for order in _of_august(season.closed)
        for pair in combinations(sorted(order.products), 2)
    )
    ranked = sorted(pairs.items(), key=lambda one: (-one[1], one[0]))
    names = season.dish_names
    return [(names[one], names[other], n) for (one, other), n in ranked[:20]]


def _gone(season: Season) -> list[Row]:
    times = defaultdict(list)
    for order in season.closed:
        times[order.user_id].append(order.order_dt)
    gone = {
        user: found
        for user, found in times.items()
        if len(found) >= 5 and max(found) < AUGUST
    }
    return [
        (user, season.guest_names[user], len(gone[user]), max(gone[user]))
        for user in sorted(gone, key=lambda user: (-len(gone[user]), user))
    ]


def _months(season: Season) -> list[Row]:
    orders, amounts = Counter[tuple[str, date]](), defaultdict(Decimal)
    for order in season.closed:
        month = order.order_dt.date().replace(day=1)
        for category in order.categories & {PIZZA, "Супы"}:
            orders[category, month] += 1
        for line in order.lines:
            amounts[line.category, month] += line.quantity * line.price
    rows, before = [], {}
    for category, month in sorted(orders):
        count = orders[category, month]
        change = count - before[category] if category in before else None
        rows.append((category, month, count, amounts[category, month], change))
        before[category] = count
    return rows


BY_HAND: dict[int, Callable[[Season], list[Row]]] = {
    1: _categories,
    2: _dishes,
    3: _pizza_guests,
    4: _pizza_lovers,
    5: _days,
    6: _new_guests,
    7: _bills,
    8: _together,
    9: _gone,
    10: _months,
}


@pytest.mark.parametrize("number", BY_HAND)
def test_answer_is_what_the_sent_orders_say(asked: Asked, number: int) -> None:
    (query,) = QUESTIONS[number]
    found = asked.conn.execute(query).fetchall()
    if number == 4:  # when the load gave a tag is nothing that was sent
        found = sorted(row[:2] for row in found)
    expected = BY_HAND[number](asked.season)
    assert len(expected) > 1
    assert found == expected


def _of_august(orders: Iterable[Order]) -> list[Order]:
    until = UNTIL.replace(tzinfo=None)
    return [order for order in orders if AUGUST <= order.order_dt < until]


def _rounded(number: Decimal, places: str) -> Decimal:
    return number.quantize(Decimal(places), ROUND_HALF_UP)

"""The bundle in a real Superset: imported, drawn for a reader, compared with SQL."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import TimeoutError

from tests.superset.browser import Answers, Drawn
from tests.superset.program import Superset, all_of
from tests.superset.shop import HOSTILE, TWICE, Shop

pytestmark = pytest.mark.timeout(900)
Sql = psycopg.Connection[Any]
KINDS = ("database", "dataset", "chart", "dashboard")

# What each chart shows, asked in another way than its dataset does.
_PER_CATEGORY = """
    SELECT coalesce(nullif(category_name, ''), '(empty)'), {one} * 1.0 / {all}
    FROM cdm.user_category_counters GROUP BY category_name
"""
_PER_DISH = """
    SELECT product_name, {counted} FROM cdm.user_product_counters
    GROUP BY product_id, product_name ORDER BY 2 DESC LIMIT 15
"""
_ALL = "(SELECT {} FROM cdm.user_category_counters)"
BARS = {
    "Share of categories, by guests": _PER_CATEGORY.format(
        one="count(*)", all=_ALL.format("count(*)")
    ),
    "Share of categories, by orders": _PER_CATEGORY.format(
        one="sum(order_cnt)", all=_ALL.format("sum(order_cnt)")
    ),
    "Popular dishes, by guests": _PER_DISH.format(counted="count(*)"),
    "Popular dishes, by orders": _PER_DISH.format(counted="sum(order_cnt)"),
}


def _imported(admin: httpx.Client) -> dict[str, list[tuple[Any, ...]]]:
    """Return id, uuid and name of all there is."""
    names = {
        "database": "database_name",
        "dataset": "table_name",
        "chart": "slice_name",
        "dashboard": "dashboard_title",
    }
    return {
        kind: [
            (one["id"], _one(admin, kind, one["id"])["uuid"], one[names[kind]])
            for one in all_of(admin, kind)
        ]
        for kind in KINDS
    }


def _one(admin: httpx.Client, kind: str, number: int) -> dict[str, Any]:
    found = admin.get(f"/{kind}/{number}").raise_for_status().json()["result"]
    return dict(found)


def test_second_import_changes_nothing(
    superset: Superset, admin: httpx.Client, bundle: Path
) -> None:
    before = _imported(admin)
    assert {kind: len(found) for kind, found in before.items()} == {
        "database": 1,
        "dataset": 6,
        "chart": 6,
        "dashboard": 1,
    }
    superset.import_bundle(bundle)
    assert _imported(admin) == before


@pytest.fixture(params=["drawn", "asked"])
def answers(request: pytest.FixtureRequest) -> Answers:
    """Give what the browser was answered, and what `GET /chart/<id>/data/` answers."""
    found = request.getfixturevalue(request.param)
    return found.answers if isinstance(found, Drawn) else found


@pytest.mark.parametrize("name", BARS)
def test_bars_are_what_sql_says(
    answers: Answers, warehouse_sql: Sql, name: str
) -> None:
    (rows,) = answers[name]
    expected = warehouse_sql.execute(BARS[name]).fetchall()
    shown = sorted(_numbers(row) for row in rows)
    assert len(shown) >= 10
    assert shown == pytest.approx(sorted(float(number) for _, number in expected))
    if "categories" in name:
        assert {row["category"]: _numbers(row) for row in rows} == pytest.approx(
            {name: float(number) for name, number in expected}
        )
        assert sum(shown) == pytest.approx(1)


def test_orders_and_revenue_are_what_sql_says(
    answers: Answers, warehouse_sql: Sql
) -> None:
    orders, revenue = answers["Orders and revenue per day"]
    expected = warehouse_sql.execute(
        "SELECT order_dt::date, count(*), sum(payment) FROM dds.v_order"
        " WHERE status = 'CLOSED' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert _by_day(orders, "order_dt", "orders") == [
        (day, count) for day, count, _ in expected
    ]
    assert _by_day(revenue, "order_dt", "revenue") == [
        (day, float(money)) for day, _, money in expected
    ]


def test_new_and_returning_guests_are_those_that_were_sent(
    answers: Answers, shop: Shop
) -> None:
    (rows,) = answers["New and returning guests per day"]
    seen: set[str] = set()
    expected = []
    guests: dict[Any, set[str]] = {}
    for order in shop.season.closed:
        guests.setdefault(order.order_dt.date(), set()).add(order.user_id)
    for day in sorted(guests):
        new = guests[day] - seen
        expected.append((day, len(new), len(guests[day] & seen)))
        seen |= new
    new_guests = _by_day(rows, "order_date", "new_guests")
    returning = _by_day(rows, "order_date", "returning_guests")
    assert [
        (day, new, old)
        for (day, new), (_, old) in zip(new_guests, returning, strict=True)
    ] == expected


def test_dishes_of_one_name_are_two_bars(drawn: Drawn) -> None:
    (rows,) = drawn.answers["Popular dishes, by orders"]
    found = {row["dish"] for row in rows if row["dish"].startswith(TWICE)}
    assert len(found) == 2


def test_hostile_name_does_nothing(drawn: Drawn) -> None:
    page = drawn.page
    (rows,) = drawn.answers["Popular dishes, by guests"]
    assert HOSTILE in {row["dish"] for row in rows}
    chart = page.locator(".chart-slice", has_text="Popular dishes, by guests")
    chart.scroll_into_view_if_needed()
    box = chart.locator("canvas").bounding_box()
    assert box is not None
    tooltip = page.get_by_text("Лобио", exact=True)
    # Down over the bars, until the tooltip of that dish is there.
    for part in range(1, 40):
        page.mouse.move(box["x"] + box["width"] * 0.65, box["y"] + part * 5)
        with suppress(TimeoutError):
            tooltip.wait_for(timeout=300)
            break
    assert tooltip.is_visible()
    assert page.evaluate("window.hurt") is None
    assert page.locator("[onerror]").count() == 0


def test_page_gets_nothing_from_other_hosts(drawn: Drawn) -> None:
    drawn.page.wait_for_load_state("networkidle")
    assert {request.failure for request in drawn.strangers} <= {"csp"}


def test_reader_changes_nothing(reader: httpx.Client, drawn: Drawn) -> None:
    (dashboard,) = all_of(reader, "dashboard")
    chart, dataset = all_of(reader, "chart")[0], all_of(reader, "dataset")[0]
    for answer in (
        reader.put(f"/dashboard/{dashboard['id']}", json={"css": "body{}"}),
        reader.put(f"/chart/{chart['id']}", json={"slice_name": "mine"}),
        reader.put(f"/dataset/{dataset['id']}", json={"description": "mine"}),
        reader.delete(f"/dashboard/{dashboard['id']}"),
        reader.post("/sqllab/execute/", json={"database_id": 1, "sql": "SELECT 1"}),
    ):
        assert answer.status_code == 403, (answer.request.url, answer.text)


def _numbers(row: dict[str, Any]) -> float:
    (number,) = [value for value in row.values() if not isinstance(value, str)]
    return float(number)


def _by_day(rows: list[dict[str, Any]], day: str, metric: str) -> list[tuple[Any, Any]]:
    """Return (day, number) in the order of days; Superset has days in ms since 1970."""
    found = [
        (datetime.fromtimestamp(row[day] / 1000, UTC).date(), row[metric])
        for row in rows
    ]
    return sorted(found)

"""A lean Airflow with the cockpit's pages, and Debian's Chromium to look at them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser

from palate.engine.outcome import Caller
from palate.marts import stage as marts
from palate.marts.definitions import load_marts
from palate.settings import Settings
from palate.tags import stage as tags
from palate.vault import stage as vault
from tests.browser.lean_airflow import LeanAirflow
from tests.browser.ui import Ui, chromium
from tests.food import FOOD
from tests.integration.staged import (
    set_rules,
    stage_entries,
    stage_messages,
    with_topics,
)
from tests.model.history import Message, Rule
from tests.unit.model.stories import dish, guest, line, menu, raw
from tests.warehouses import MakeWarehouse

RUN = "manual__2026-01-31T10:00:00+00:00"


@pytest.fixture(scope="package")
def shop(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give a warehouse in which each page has something to show."""
    with make_warehouse() as settings:
        found = with_topics(settings)
        with psycopg.connect(found.dwh_dsn.get_secret_value(), autocommit=True) as conn:
            _fill(found, conn)
        yield found


@pytest.fixture(scope="package")
def lean(
    shop: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LeanAirflow]:
    """Run an Airflow that shows this warehouse; it has the run RUN."""
    found = LeanAirflow(tmp_path_factory.mktemp("airflow"), shop)
    found.prepare()
    with found.running():
        found.trigger("orders_stream", RUN)
        yield found


@pytest.fixture(scope="package")
def below_a_path(lean: LeanAirflow, shop: Settings) -> Iterator[LeanAirflow]:
    """Run the same Airflow a second time, with a path in its base URL."""
    found = LeanAirflow(lean.home, shop, "/airflow")
    with found.running():
        yield found


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run a browser."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def open_ui(lean: LeanAirflow, browser: Browser) -> Iterator[Callable[..., Ui]]:
    """Return what opens Airflow's UI for a person of a role, as ``Ui.opened``.

    A module's tests share what they open alike: to load Airflow takes seconds.
    """
    opened: dict[str, Ui] = {}
    with ExitStack() as closing:

        def open_for(role: str = "user", **of: Any) -> Ui:
            key = json.dumps([role, of], sort_keys=True)
            if key not in opened:
                window = Ui.opened(browser, lean.url, lean.token(role), **of)
                opened[key] = closing.enter_context(window)
            return opened[key]

        yield open_for


def _fill(settings: Settings, conn: psycopg.Connection) -> None:
    orders = [
        raw(
            number,
            [line("d1", 1 + number % 3), line(f"d{2 + number % 3}")],
            offset=number,
            user=f"u{number % 4}",
        )
        for number in range(20)
    ]
    position, broker_dt = raw(1, offset=20).position, orders[0].broker_dt
    bad = Message(*position, broker_dt, b'{"object_id": "<script>alert(1)</script>"')
    stage_messages(conn, [*orders, bad])
    menus = [menu("r", "2023-08-01 00:00:00", dish("d1", category="Soup"), dish("d2"))]
    stage_entries(settings, [*menus, guest("u1", "2023-08-01 00:00:00")])
    set_rules(conn, [Rule("category", "Soup", 2, "soup", True)])

    def caller(task_id: str) -> Caller:
        return Caller("orders_stream", RUN, task_id)

    vault.run(settings, FOOD, caller("vault"))
    for name in load_marts("food"):
        marts.run(settings, name, caller(name))
    tags.run(settings, caller("tags"))

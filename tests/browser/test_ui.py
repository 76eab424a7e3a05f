"""Where Airflow's UI shows the cockpit: its entry, its tabs, the line on the home page.

What holds for every page is in ``test_pages``, which `make test-cockpit` runs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import RUN
from tests.browser.ui import Ui

OpenUi = Callable[..., Ui]
_RUN = f"runs/{quote(RUN, safe='')}"
# The tabs: where they stand below a DAG, and what each shows.
TABS = {
    "plugin/palate-dag": "What the last runs did",
    "tasks/vault/plugin/palate-task": "What the last runs of this task did",
    f"{_RUN}/plugin/palate-run": "What this run did",
    f"{_RUN}/tasks/vault/plugin/palate-task-instance": "What this task did",
}


def test_entry_of_the_navigation_leads_to_the_pages(open_ui: OpenUi) -> None:
    ui = open_ui()
    ui.page.goto(ui.url)
    ui.page.get_by_role("link", name="Palate", exact=True).click()
    assert ui.frame.locator("nav a[aria-current=page]").text_content() == "Overview"
    ui.frame.get_by_role("link", name="Batches", exact=True).click()
    ui.page.wait_for_url(f"**/plugin/palate{ui.inner('/batches')}")
    assert ui.frame.locator("h1").text_content() == "Batches"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_tab_shows_what_was_done(open_ui: OpenUi, tab: str, theme: str) -> None:
    ui = open_ui(theme=theme, lets_axe_in=True)
    frame = ui.go(f"dags/orders_stream/{tab}")
    assert frame.locator("h1").text_content() == TABS[tab]
    assert "order-service_orders/0: 0..20" in frame.content() or _RUN not in tab
    found = Axe().run(frame)
    assert found.violations_count == 0, found.generate_report()
    assert ui.errors == []


def test_tab_of_a_dag_that_has_run_nothing_says_so(open_ui: OpenUi) -> None:
    frame = open_ui().go("dags/rejected_replay/plugin/palate-dag")
    assert "This DAG has run no stage of Palate." in frame.content()


def test_run_leads_from_a_batch_to_its_tab_and_back(open_ui: OpenUi) -> None:
    ui = open_ui()
    frame = ui.open("/batches?stage=vault")
    _mark(ui.page)
    frame.get_by_role("link", name=RUN).first.click()
    ui.page.wait_for_url(f"**/dags/orders_stream/{_RUN}")
    ui.page.locator("a[href$='/plugin/palate-run']").click()
    ui.page.wait_for_url("**/plugin/palate-run")
    ui.frame.get_by_role("link", name="vault").first.click()
    ui.page.wait_for_url("**/batches?stage=vault&dag_id=orders_stream")
    assert ui.frame.locator("select[name=stage]").input_value() == "vault"
    # Airflow has not been loaded anew on the way.
    assert _is_marked(ui.page)


def test_home_page_has_a_line_that_leads_to_the_pages(open_ui: OpenUi) -> None:
    ui = open_ui()
    ui.page.goto(ui.url)
    line = ui.page.get_by_test_id("palate-line")
    line.wait_for()
    assert (line.text_content() or "").startswith("Palate: ")
    _mark(ui.page)
    line.get_by_role("link").click()
    ui.frame.locator("main").wait_for()
    assert _is_marked(ui.page)


def test_line_has_a_colour_for_each_state(open_ui: OpenUi) -> None:
    ui = open_ui()
    colours = set()
    for state in ("good", "warn", "bad"):
        answer = {"state": state, "sentence": f"<b>{state}</b>."}
        with _line(ui.page, json=answer):
            ui.page.goto(ui.url)
            line = ui.page.get_by_test_id("palate-line")
            line.get_by_text(f"Palate: <b>{state}</b>.").wait_for()
            colour = "(one) => getComputedStyle(one).backgroundColor"
            colours.add(line.evaluate(colour))
    assert len(colours) == 3


def test_line_is_not_there_for_who_may_not_see_it(open_ui: OpenUi) -> None:
    ui = open_ui()
    with _line(ui.page, status=403, json={"error": "Your role doesn't allow this."}):
        with ui.page.expect_response("**/palate/api/v1/line"):
            ui.page.goto(ui.url)
        ui.page.get_by_text("Welcome").wait_for()
        assert ui.page.get_by_test_id("palate-line").count() == 0


def test_line_says_that_the_warehouse_is_away(open_ui: OpenUi) -> None:
    ui = open_ui()
    with _line(ui.page, status=503, json={"error": "PostgreSQL can't be reached."}):
        ui.page.goto(ui.url)
        ui.page.get_by_text("Palate: PostgreSQL can't be reached.").wait_for()


@contextmanager
def _line(page: Page, **answer: Any) -> Iterator[None]:
    """Answer in the server's place."""
    path = "**/palate/api/v1/line"
    page.route(path, lambda route: route.fulfill(**answer))
    yield
    page.unroute(path)


def _mark(page: Page) -> None:
    page.evaluate("() => { window.isTheSame = true; }")


def _is_marked(page: Page) -> bool:
    return bool(page.evaluate("() => window.isTheSame"))

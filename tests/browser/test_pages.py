"""What holds for every page of the cockpit, looked at in Airflow's UI by a browser."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from palate_cockpit.templating import NAVIGATION
from tests.browser.conftest import RUN
from tests.browser.lean_airflow import LeanAirflow
from tests.browser.ui import Ui

PAGES = [path for path, _ in NAVIGATION]
# A text, and a form to search by.
STILL = {"/help", "/guests"}
_SECOND = 1_000
OpenUi = Callable[..., Ui]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_page_can_be_read_by_everybody(open_ui: OpenUi, theme: str, path: str) -> None:
    ui = open_ui(theme=theme, lets_axe_in=True)
    frame = ui.open(path)
    assert frame.locator("html").get_attribute("data-theme") == theme
    found = Axe().run(frame)
    assert found.violations_count == 0, found.generate_report()
    assert ui.errors == []


@pytest.mark.parametrize("path", PAGES)
def test_small_screen_shows_all_without_scrolling_the_page_sideways(
    open_ui: OpenUi, path: str
) -> None:
    ui = open_ui(width=400)
    frame = ui.open(path)
    wide = frame.evaluate(
        "() => { const wide = document.documentElement.clientWidth;"
        " return [...document.querySelectorAll('body *')].filter((one) =>"
        " !one.closest('.scrolling, pre, .skip, dialog:not([open])')"
        " && one.getBoundingClientRect().right > wide + 1)"
        ".map((one) => one.outerHTML.slice(0, 200)); }"
    )
    assert wide == []
    # What a page loads is what its own rules allow: else the browser says so.
    assert ui.errors == []


# Steps to the next element by Tab: where it is, and which have not been reached.
_STEPS = """() => {
  const stops = [...document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex='0']"
  )].filter((one) => !one.disabled && one.type !== "hidden" && one.checkVisibility());
  const reached = new Set();
  window.step = () => {
    const one = document.activeElement;
    if (one === document.body) return null;
    reached.add(one);
    // An arrow leads from one radio button to the others of its name.
    stops.filter((s) => s.type === "radio" && s.name === one.name)
      .forEach((s) => reached.add(s));
    const isMarked = getComputedStyle(one).outlineStyle !== "none";
    return {isMarked, html: one.outerHTML.slice(0, 100)};
  };
  window.missed = () => stops.filter((s) => !reached.has(s))
    .map((s) => s.outerHTML.slice(0, 100));
}"""


@pytest.mark.parametrize("path", PAGES)
def test_everything_can_be_reached_and_seen_by_keyboard(
    open_ui: OpenUi, path: str
) -> None:
    ui = open_ui()
    frame = ui.open(path)
    frame.evaluate(_STEPS)
    frame.locator(".skip").focus()
    while found := frame.evaluate("() => window.step()"):
        assert found["isMarked"], found
        ui.page.keyboard.press("Tab")
    assert frame.evaluate("() => window.missed()") == []


def test_skip_link_and_navigation_work_by_keyboard_alone(open_ui: OpenUi) -> None:
    ui = open_ui()
    frame = ui.open(PAGES[0])
    frame.locator(".skip").focus()
    ui.page.keyboard.press("Enter")
    assert frame.evaluate("() => document.activeElement.id") == "main"
    frame.locator("nav a").last.focus()
    ui.page.keyboard.press("Enter")
    ui.page.wait_for_url(f"**{PAGES[-1]}")


@pytest.mark.parametrize("path", PAGES)
def test_address_is_the_pages_and_leads_back_to_it(open_ui: OpenUi, path: str) -> None:
    ui = open_ui()
    ui.open(path)
    ui.page.wait_for_url(f"{ui.url}/plugin/palate{ui.inner(path)}")
    ui.page.reload()
    assert ui.frame.locator("nav a[aria-current=page]").count() == 1
    assert ui.path == path


def test_back_leads_to_the_page_before_with_its_filter(open_ui: OpenUi) -> None:
    ui = open_ui()
    ui.go(f"plugin/palate{ui.inner('/batches?stage=vault')}")
    ui.frame.locator("nav a", has_text="Help").click()
    ui.page.wait_for_url("**/palate/help")
    ui.page.go_back()
    ui.page.wait_for_url("**/palate/batches?stage=vault")
    assert ui.frame.locator("select[name=stage]").input_value() == "vault"


def test_airflows_own_switch_changes_the_page_at_once(open_ui: OpenUi) -> None:
    ui = open_ui()
    frame = ui.open("/batches")
    frame.evaluate("() => { window.isTheSame = true; }")
    light = frame.evaluate("() => getComputedStyle(document.body).backgroundColor")
    ui.page.evaluate(
        "() => { const all = document.documentElement.classList;"
        " all.replace('light', 'dark'); }"
    )
    frame.locator("html[data-theme=dark]").wait_for()
    dark = frame.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert dark != light
    assert frame.evaluate("() => window.isTheSame")


def test_times_are_in_the_persons_own_zone(open_ui: OpenUi) -> None:
    shown = {}
    for zone in ("UTC", "Asia/Tokyo"):
        frame = open_ui(zone=zone).open("/batches")
        one = frame.locator("td time").first
        shown[zone] = one.text_content()
        assert one.get_attribute("title").endswith("UTC")
    assert shown["UTC"] != shown["Asia/Tokyo"]


@pytest.mark.parametrize("path", [path for path in PAGES if path not in STILL])
def test_page_refreshes_itself(open_ui: OpenUi, path: str) -> None:
    ui = open_ui(has_clock=True)
    ui.open(path)
    with ui.page.expect_request(lambda one: "hx-request" in one.headers):
        ui.page.clock.run_for(6 * _SECOND)


def test_refresh_keeps_the_focus_and_stops_when_nobody_looks(open_ui: OpenUi) -> None:
    ui = open_ui(has_clock=True)
    frame = ui.open("/batches")
    frame.evaluate(
        "() => { window.asked = 0; document.addEventListener('htmx:beforeRequest',"
        " () => { window.asked += 1; }); document.addEventListener('htmx:afterSettle',"
        " () => { window.settled = (window.settled ?? 0) + 1; }); }"
    )
    frame.locator("select[name=dag_id]").focus()
    ui.page.clock.run_for(6 * _SECOND)
    frame.wait_for_function("() => window.settled >= 1")
    assert frame.evaluate("() => document.activeElement.name") == "dag_id"

    frame.evaluate(
        "() => Object.defineProperty(document, 'visibilityState',"
        " {configurable: true, value: 'hidden'})"
    )
    asked = frame.evaluate("() => window.asked")
    ui.page.clock.run_for(60 * _SECOND)
    assert frame.evaluate("() => window.asked") == asked
    frame.evaluate("() => { delete document.visibilityState; }")
    ui.page.clock.run_for(6 * _SECOND)
    assert frame.evaluate("() => window.asked") > asked


def test_who_may_not_see_a_page_is_told_in_words(open_ui: OpenUi) -> None:
    frame = open_ui(role="viewer").open("/guests")
    assert frame.locator("h1").text_content() == "Not allowed"
    assert "Your role doesn't allow this." in (frame.text_content("main") or "")


def test_session_that_is_over_leads_to_the_login(open_ui: OpenUi) -> None:
    ui = open_ui(role="op")
    ui.open("/batches")
    ui.page.context.clear_cookies()
    frame = ui.open("/batches")
    assert frame.locator("h1").text_content() == "Not logged in"
    frame.get_by_role("link", name="Log in").click()
    ui.page.wait_for_url("**/auth/login**")


@pytest.fixture(scope="module")
def below(browser: Browser, below_a_path: LeanAirflow) -> Iterator[Ui]:
    token = below_a_path.token("user")
    with Ui.opened(browser, below_a_path.url, token) as found:
        yield found


@pytest.mark.parametrize("path", PAGES)
def test_page_stands_below_a_path_of_the_base_url(below: Ui, path: str) -> None:
    frame = below.open(path)
    assert frame.locator("nav a[aria-current=page]").count() == 1
    style = "() => getComputedStyle(document.querySelector('nav ul')).listStyleType"
    assert frame.evaluate(style) == "none"
    below.page.wait_for_url(f"{below.url}/plugin/palate{below.inner(path)}")
    assert below.errors == []


def test_links_lead_below_a_path_of_the_base_url(below: Ui) -> None:
    below.page.goto(f"{below.url}/")
    below.page.get_by_test_id("palate-line").get_by_role("link").click()
    below.frame.locator("nav a", has_text="Batches").click()
    below.frame.locator("h1", has_text="Batches").wait_for()
    below.frame.get_by_role("link", name=RUN).first.click()
    below.page.wait_for_url(f"{below.url}/dags/orders_stream/runs/*")
    frame = below.go("dags/orders_stream/plugin/palate-dag")
    frame.get_by_role("link", name=RUN).click()
    below.page.wait_for_url(f"{below.url}/dags/orders_stream/runs/*")

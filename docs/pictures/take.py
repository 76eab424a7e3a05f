"""Take the pictures of the documents from a running stack.

After `make install-dev demo`, in the checkout's folder:
`.venv/bin/python -m docs.pictures.take`, with names for some of them. It needs
Debian's package `chromium`; the state folder is that of `PALATE_VAR`, as for `make`.
For `rebuild_approval` it makes a counter wrong; approve the rebuild, and it is right
again.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
from playwright.sync_api import Page, sync_playwright

from deploy.local.__main__ import local_stack

_FOLDER = Path(__file__).parent
_BROWSER = "/usr/bin/chromium"
_SIZE = {"width": 1400, "height": 850}
_DAG = "/dags/orders_stream"
_RELOAD = "orders_history_reload"


def main() -> None:
    """Take the pictures that are named, or all."""
    with _ui(local_stack().env()) as page:
        for name in sys.argv[1:] or _PICTURES:
            page.set_viewport_size(_SIZE)
            _PICTURES[name](page)
            path = _FOLDER / f"{name}.png"
            page.screenshot(path=path)
            print(f"{path.name}: {path.stat().st_size // 1024} KB")


@contextmanager
def _ui(env: dict[str, str]) -> Iterator[Page]:
    url = env["AIRFLOW_URL"]
    login = {"username": env["AIRFLOW_USER"], "password": env["AIRFLOW_PASSWORD"]}
    token = httpx.post(f"{url}/auth/token", json=login).raise_for_status().json()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_BROWSER, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        context = browser.new_context(
            base_url=url, viewport=_SIZE, color_scheme="light", locale="en-GB"
        )
        context.add_cookies(
            [{"name": "_token", "value": token["access_token"], "url": url}]
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def _open(page: Page, path: str) -> None:
    page.goto(path)
    page.wait_for_load_state("networkidle")


def _grid(page: Page) -> None:
    _open(page, _DAG)


def _form(page: Page) -> None:
    _open(page, _DAG)
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_text("Most messages").wait_for()


def _backfill(page: Page) -> None:
    _form(page)
    page.get_by_text("Backfill", exact=True).first.click()
    page.get_by_text("Reprocess").first.wait_for()


def _assets(page: Page) -> None:
    found = _ask(page, "/assets", name_pattern="stg.order_events")["assets"]
    page.set_viewport_size({"width": 2000, "height": 1000})
    with _response(page, "dependency_type=scheduling"):
        page.goto(f"/assets/{found[0]['id']}")
    with _response(page, "dependency_type=data"):
        page.get_by_text("Task Dependencies").click()
    # What is out of sight is not drawn: there is nothing else to wait for.
    page.wait_for_timeout(5_000)
    page.get_by_role("button", name="Fit View").click()
    page.wait_for_timeout(2_000)


def _report(page: Page) -> None:
    """Reload the last week, and open what `report` says of it."""
    run = _trigger(page, {})
    path = f"/dags/{_RELOAD}/dagRuns/{run}"
    while _ask(page, path)["state"] not in ("success", "failed"):
        page.wait_for_timeout(500)
    _open(page, f"/dags/{_RELOAD}/runs/{run}/tasks/report")
    page.get_by_text("differ").first.wait_for()


def _approval(page: Page) -> None:
    """Build anew what has one wrong counter; stop where a person is asked."""
    with psycopg.connect(local_stack().env()["DWH_DSN"]) as conn:
        conn.execute(
            "UPDATE cdm.user_category_counters SET amount = amount + 1 WHERE ctid ="
            " (SELECT ctid FROM cdm.user_category_counters LIMIT 1)"
        )
    run = _trigger(page, {"mode": "rebuild"})
    task = f"/dags/{_RELOAD}/dagRuns/{run}/taskInstances/approve"
    while _ask(page, task)["state"] != "awaiting_input":
        page.wait_for_timeout(500)
    _open(page, f"/dags/{_RELOAD}/runs/{run}/tasks/approve/required_actions")
    page.get_by_text("Replace the live").first.wait_for()


def _cockpit(path: str) -> Callable[[Page], None]:
    def take(page: Page) -> None:
        page.set_viewport_size({"width": 1400, "height": 1000})
        _frame(page, f"/plugin/palate/palate{path}")

    return take


def _run_tab(page: Page) -> None:
    """Open the tab of the run that took longest: it did the most."""
    found = _ask(page, f"{_DAG}/dagRuns", state="success", limit="100")["dag_runs"]
    longest = max(found, key=lambda run: float(run["duration"]))
    run = quote(longest["dag_run_id"], safe="")
    _frame(page, f"{_DAG}/runs/{run}/plugin/palate-run")


def _home(page: Page) -> None:
    _open(page, "/")
    page.get_by_test_id("palate-line").wait_for()


def _frame(page: Page, path: str) -> None:
    _open(page, path)
    page.frame_locator("iframe").locator("main").wait_for()


def _trigger(page: Page, conf: dict[str, Any]) -> str:
    """Start a run of the reload; return its id."""
    found = page.request.post(
        f"/api/v2/dags/{_RELOAD}/dagRuns", data={"logical_date": None, "conf": conf}
    )
    return str(found.json()["dag_run_id"])


def _response(page: Page, part: str) -> Any:
    return page.expect_response(lambda response: part in response.url)


def _ask(page: Page, path: str, **query: str) -> Any:
    response = page.request.get(f"/api/v2{path}", params=query)
    return response.json()


_PICTURES: dict[str, Callable[[Page], None]] = {
    "orders_stream_grid": _grid,
    "orders_stream_form": _form,
    "orders_stream_backfill": _backfill,
    "assets": _assets,
    "reload_report": _report,
    "rebuild_approval": _approval,
    "cockpit_overview": _cockpit("/"),
    "cockpit_batches": _cockpit("/batches?stage=vault"),
    "cockpit_refused": _cockpit("/refused"),
    "cockpit_checks": _cockpit("/checks"),
    "cockpit_incidents": _cockpit("/incidents"),
    "cockpit_tags": _cockpit("/tags"),
    "cockpit_charts": _cockpit("/charts"),
    "cockpit_run": _run_tab,
    "cockpit_home": _home,
}

if __name__ == "__main__":
    main()

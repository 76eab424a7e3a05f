"""The dashboard in Chromium, as a person sees it who is logged in to Superset."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Request, Response, sync_playwright

# Rows by the chart's name: one list for each of its queries.
Answers = dict[str, list[list[dict[str, Any]]]]
_BROWSER = Path("/usr/bin/chromium")
_DASHBOARD = "/superset/dashboard/guests-and-dishes/"
_DRAWN = """count => count <= [...document.querySelectorAll('.chart-slice')].filter(
    chart => chart.querySelector('canvas') && !chart.querySelector('.loading')
).length"""


@dataclass
class Drawn:
    """The dashboard, and what went over the wire for it."""

    page: Page
    url: str
    names: dict[int, str]
    """the charts' names by their ids"""
    answers: Answers = field(default_factory=dict)
    strangers: list[Request] = field(default_factory=list)
    """what the page wanted from other hosts"""

    def __post_init__(self) -> None:
        self.page.on("response", self._keep)
        self.page.on("request", self._note)

    def log_in(self, user: str, password: str) -> None:
        """Log in as a person does."""
        self.page.goto("/login/")
        self.page.locator("#username").fill(user)
        self.page.locator("#password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/superset/welcome/")

    def open(self) -> None:
        """Open the dashboard, and wait until each chart is drawn."""
        self.page.goto(_DASHBOARD)
        self.page.wait_for_function(_DRAWN, arg=len(self.names))
        self.page.wait_for_load_state("networkidle")

    def picture(self, path: Path) -> None:
        """Keep a picture of the whole page, once nothing in it moves."""
        path.parent.mkdir(parents=True, exist_ok=True)
        before = b""
        while (now := self.page.screenshot(path=path, full_page=True)) != before:
            before = now

    def _keep(self, response: Response) -> None:
        if "/api/v1/chart/data" in response.url and response.ok:
            asked = json.loads(response.request.post_data or "")
            found = [query["data"] for query in response.json()["result"]]
            self.answers[self.names[asked["form_data"]["slice_id"]]] = found

    def _note(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.strangers.append(request)


@contextmanager
def open_browser(url: str, names: dict[int, str]) -> Iterator[Drawn]:
    """Start Chromium for a Superset with these charts."""
    assert _BROWSER.exists(), "Install Debian's package chromium."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_BROWSER, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        size = {"width": 1400, "height": 900}
        page = browser.new_page(base_url=url, viewport=size, locale="en-GB")
        page.set_default_timeout(120_000)
        yield Drawn(page, url, names)
        browser.close()

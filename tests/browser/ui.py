"""Airflow's UI in a browser, with a page of the cockpit in its frame."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Frame,
    Page,
    sync_playwright,
)

_CHROMIUM = "/usr/bin/chromium"
# Airflow's own script is 7 MB, and the machine may be busy.
_TIMEOUT = 60_000
_HEIGHT = 900


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's browser."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield found
        found.close()


class Ui:
    """One person's window."""

    def __init__(self, page: Page, url: str) -> None:
        """Take the window; nothing is opened yet."""
        self.page = page
        self.url = url
        # What went wrong in it: exceptions, and what the pages' own rules forbade.
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)

    @classmethod
    @contextmanager
    def opened(
        cls,
        browser: Browser,
        url: str,
        token: str,
        *,
        theme: str = "light",
        width: int = 1440,
        zone: str = "UTC",
        lets_axe_in: bool = False,
        has_clock: bool = False,
    ) -> Iterator[Self]:
        """Open a window in which somebody is logged in.

        :param url: of Airflow
        :param token: the login
        :param lets_axe_in: whether a test may run a script of its own in the page
        :param has_clock: whether a test may let time pass (``page.clock``)
        """
        context = browser.new_context(
            viewport={"width": width, "height": _HEIGHT}, bypass_csp=lets_axe_in
        )
        context.set_default_timeout(_TIMEOUT)
        context.add_cookies([{"name": "_token", "value": token, "url": url}])
        kept = {"theme": theme, "timezone": json.dumps(zone)}
        # Only once: a test may change them as a person does.
        context.add_init_script(
            f"for (const [name, value] of Object.entries({json.dumps(kept)}))"
            " localStorage[name] ??= value;"
        )
        if has_clock:
            context.clock.install()
        yield cls(context.new_page(), url)
        context.close()

    def open(self, path: str) -> Frame:
        """Show a page of the cockpit; return its frame.

        Where one is shown already, only the frame changes, as by a link.
        """
        self.errors.clear()
        if self.page.locator("iframe").count():
            self.frame.goto(f"{self.origin}{self.inner(path)}")
            return self.frame
        return self.go(f"plugin/palate{self.inner(path)}")

    def go(self, path: str) -> Frame:
        """Open a path of Airflow's UI that shows a page, as typed into the address."""
        self.page.goto(f"{self.url}/{path}")
        return self.frame

    @property
    def frame(self) -> Frame:
        """The cockpit's frame, once it is there."""
        found = self.page.locator("iframe").element_handle().content_frame()
        assert found is not None
        found.locator("main").wait_for()
        found.wait_for_load_state()  # a button does nothing before its script is there
        return found

    @property
    def path(self) -> str:
        """The path of the page in the frame, below where the cockpit is mounted."""
        return self.frame.url.removeprefix(f"{self.origin}{self.inner('')}")

    @property
    def origin(self) -> str:
        """The address without the path of Airflow's base URL."""
        return "/".join(self.url.split("/")[:3])

    def inner(self, path: str) -> str:
        """Return the path of a page of the cockpit as the server sees it."""
        return f"{self.url.removeprefix(self.origin)}/palate{path}"

    def _note(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.errors.append(message.text)

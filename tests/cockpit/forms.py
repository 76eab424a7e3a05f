"""The forms of a page, and what the cockpit's script would send of them."""

import json
from html.parser import HTMLParser
from typing import Any


class Forms(HTMLParser):
    """The forms that do something: by the id of their dialog, what each would send."""

    def __init__(self, page: str, checked: str = "") -> None:
        """Read a page.

        :param checked: what the boxes that are ticked come to
        """
        super().__init__()
        self.sent: dict[str, dict[str, Any]] = {}
        self.starts: dict[str, str] = {}
        self._checked = checked
        self._dialog = ""
        self._form: dict[str, Any] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what begins."""
        given = dict(attrs)
        if tag == "dialog":
            self._dialog = given["id"] or ""
        elif tag == "form":
            self._form = self.sent.setdefault(self._dialog, {})
            if "data-starts" in given:
                self.starts[self._dialog] = given["data-starts"] or ""
        elif tag in ("input", "textarea") and self._form is not None:
            name, value = given.get("name"), given.get("value") or ""
            if name:
                self._form[name] = self._value(given, value)

    def handle_endtag(self, tag: str) -> None:
        """Note what ends."""
        if tag == "form":
            self._form = None

    def _value(self, given: dict[str, str | None], value: str) -> Any:
        if "data-checked" in given:
            return self._checked
        if "data-json" in given:
            return json.loads(value)
        if given.get("type") == "number":
            return int(value) if value else None
        return value

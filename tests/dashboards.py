"""What holds for each dashboard of Grafana, and for the guides that alerts lead to."""

import re
from pathlib import Path
from typing import Any


def anchor(heading: str) -> str:
    """Return where a link to a heading leads, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """Return where a link into a page may lead."""
    text = page.read_text(encoding="utf-8")
    return {anchor(one) for one in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def assert_side_by_side(panels: list[dict[str, Any]]) -> None:
    """See that no panel lies on another one."""
    taken = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)

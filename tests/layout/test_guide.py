"""CONTRIBUTING describes each wing as the wing does itself."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "include" / "palate"


def test_guide_has_each_wing_and_says_what_its_door_says() -> None:
    assert {name: text for name, text, _ in _rows()} == {
        path.parent.name: _first_line(path) for path in LIBRARY.glob("*/__init__.py")
    }


def test_guide_names_the_modules_that_there_are() -> None:
    for wing, _, modules in _rows():
        if wing in ("cli", "simulate"):  # a module per command; a world of its own
            continue
        there = {path.stem for path in (LIBRARY / wing).glob("*.py")} - {"__init__"}
        assert set(re.findall(r"`(\w+)`", modules)) == there, wing


def _rows() -> list[tuple[str, str, str]]:
    """Return (wing, what it holds, its modules) of the guide's table."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, section = guide.partition("### The library\n")
    table = section.partition("\n\nOn the ground")[0]
    return re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", table, re.MULTILINE)


def _first_line(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]

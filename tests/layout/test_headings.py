"""Each sentence that sends an operator to a heading names one that there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUOTED = "operations.md, '"


def test_headings_of_the_operators_guide_that_sentences_name_are_there() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", guide, re.MULTILINE)
    named = list(_named())
    assert len(named) > 10
    assert [
        f"{place}: {text[:60]}"
        for place, text in named
        if not any(text.startswith(f"{heading}'") for heading in headings)
        and not text.startswith("{")  # filled in by the caller
    ] == []


def _named() -> Iterator[tuple[str, str]]:
    """Yield (place, what follows the opening quote) of each sentence in the code."""
    for path in sorted((ROOT / "include").rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        parts = {
            id(one) for n in nodes if isinstance(n, ast.JoinedStr) for one in n.values
        }
        for node in nodes:
            text = "" if id(node) in parts else _text(node)
            for part in text.split(QUOTED)[1:]:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", part


def _text(node: ast.AST) -> str:
    """Return a string of the code, a value in it as {}; empty if it is none."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(one) or "{}" for one in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""

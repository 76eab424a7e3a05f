"""Each wing has a door: what its ``__init__`` names is what others may use."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "include" / "palate"
WINGS = sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py"))
# Tests and benchmarks look into wings; whatever runs in production does not.
USERS = ["include", "plugins", "dags", "deploy"]
MOST_NAMES = 10


def test_there_are_wings() -> None:
    assert {"landing", "vault", "marts", "tags", "publish"} <= set(WINGS)


@pytest.mark.parametrize("wing", WINGS)
def test_door_is_narrow_and_says_what_the_wing_is_for(wing: str) -> None:
    tree = ast.parse((LIBRARY / wing / "__init__.py").read_text(encoding="utf-8"))
    assert 0 < len(_door(wing)) <= MOST_NAMES
    assert (ast.get_docstring(tree) or "").partition("\n")[0].endswith(".")


@pytest.mark.parametrize("wing", WINGS)
def test_every_name_of_the_door_is_used(wing: str) -> None:
    used = {name for _, named, name in _imports() if named == wing}
    used |= {name for _, named, name in _attributes() if named == wing}
    assert _door(wing) - used == set()


def test_nobody_enters_a_wing_but_by_its_door() -> None:
    assert [
        f"{place}: palate.{wing} has no {name}; its door names "
        f"{', '.join(sorted(_door(wing)))}"
        for place, wing, name in [*_imports(), *_attributes()]
        if name not in _door(wing)
    ] == []


@cache
def _door(wing: str) -> set[str]:
    tree = ast.parse((LIBRARY / wing / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def _imports() -> Iterator[tuple[str, str, str]]:
    """Yield (place, wing, name) of each import from a wing that is not one's own."""
    for path, own, tree in _modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            package, *below = node.module.split(".")
            if package != "palate" or not below or below[0] not in WINGS:
                continue
            if below[0] != own:
                for alias in node.names:
                    name = ".".join([*below[1:], alias.name])
                    yield f"{path}:{node.lineno}", below[0], name


def _attributes() -> Iterator[tuple[str, str, str]]:
    """Yield (place, wing, name) of each ``wing.name`` after ``from palate import``."""
    for path, own, tree in _modules():
        wings = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "palate"
            for alias in node.names
            if alias.name in WINGS and alias.name != own
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in wings
            ):
                yield f"{path}:{node.lineno}", wings[node.value.id], node.attr


@cache
def _modules() -> list[tuple[Path, str | None, ast.Module]]:
    found = []
    for path in sorted(path for user in USERS for path in (ROOT / user).rglob("*.py")):
        inside = path.relative_to(LIBRARY).parts if LIBRARY in path.parents else ()
        own = inside[0] if len(inside) > 1 else None
        name = path.relative_to(ROOT)
        found.append((name, own, ast.parse(path.read_text(encoding="utf-8"))))
    return found

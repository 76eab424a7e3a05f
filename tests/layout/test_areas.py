"""What all areas share knows none of them: not its name, not one of its tables."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
AREAS = ROOT / "sql" / "areas"
WINGS = [
    "engine", "clients", "vault", "marts", "landing", "positions", "tables", "sources",
    "copies",
]  # fmt: skip
SHARED = [*(f"include/palate/{wing}" for wing in WINGS), "sql/engine"]
# An area with the name of a thing that everybody has: it counts where it can only mean
# the area, as in `files/drain`.
ORDINARY = {"files"}
# How one area gets what is no topic: it asks Redis for the ids of its own hubs.
OWN_WAY = {"include/palate/landing/dictionaries.py"}
FILES = sorted(
    path.relative_to(ROOT)
    for folder in SHARED
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".sql"} and str(path.relative_to(ROOT)) not in OWN_WAY
)


def test_areas_have_names_of_each_kind() -> None:
    """Else the next test finds nothing, whatever the files say."""
    assert {"food", "h_order", "l_order_user", "s_order_version"} <= _names()
    assert {"v_order_item", "user_product_counters", "user_tags"} <= _names()
    assert {path.parts[2] for path in FILES if path.parts[0] == "include"} == {*WINGS}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_shared_file_names_no_area_and_none_of_its_tables(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert [
        f"{path}:{number}: {word}"
        for number, line in enumerate(text.splitlines(), start=1)
        for word in re.findall(r"\w+", line)
        if word in _names()
        and (word not in ORDINARY or re.search(rf"[\"'/]{word}[\"'/]", line))
    ] == [], "say it in sql/areas, whose files are read for each area"


@cache
def _names() -> set[str]:
    """Return the names of all areas and of their tables, from their files."""
    areas = [path.parent for path in AREAS.glob("*/area.yaml")]
    return {name for area in areas for name in _of(area)}


def _of(area: Path) -> Iterator[str]:
    yield area.name
    for path in area.glob("dds/*/*.y*ml"):
        yield path.stem
    for path in area.glob("dds/views/*.sql"):
        yield path.stem.partition("_")[2]
    for path in area.glob("cdm/*/mart.yaml"):
        yield path.parent.name
        mart = yaml.safe_load(path.read_text(encoding="utf-8"))
        if found := mart.get("reference"):
            yield found["table"]
    for path in area.glob("tags/*.sql"):
        yield from re.findall(r"\bcdm\.(\w+)", path.read_text(encoding="utf-8"))

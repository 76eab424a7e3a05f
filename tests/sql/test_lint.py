"""The SQL looks as it should: each statement as the server gets it, each file as is."""

import re
from functools import cache
from pathlib import Path

import pytest
from sqlfluff.core import FluffConfig, Linter

from palate import sql
from palate.names import SQL_FOLDER
from palate.sources.shape import Shape, load_shapes
from tests.sql.rendered import all_statements

ROOT = SQL_FOLDER.parent
FILES = sorted(SQL_FOLDER.rglob("*.sql"))
MOST_COLUMNS = 88
STATEMENTS = dict(all_statements())


@pytest.mark.parametrize("name", STATEMENTS)
def test_rendered_statement_passes_sqlfluff(name: str) -> None:
    found = _linter().lint_string(_as_linted(STATEMENTS[name])).get_violations()
    assert [
        f"line {one.line_no}: {one.rule_code()} {one.desc()}" for one in found
    ] == []


def test_every_file_is_rendered() -> None:
    loaded = {name for _, name in sql._ENVIRONMENT.cache or ()}
    by_hand = {"ops/versions"}
    assert [
        str(path)
        for path in (file.relative_to(SQL_FOLDER) for file in FILES)
        if str(path) not in loaded and str(path.parent) not in by_hand
    ] == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_begins_with_a_sentence_on_what_it_does(name: str) -> None:
    made = r"(?:CREATE TEMP TABLE \w+ ON COMMIT DROP AS\n)?"
    comment = re.match(rf"{made}((?:-- .*\n)+)", STATEMENTS[name])
    assert comment is not None
    assert re.match(r"-- [A-Z]", comment[1])
    assert comment[1].rstrip().endswith(".")


@pytest.mark.parametrize("name", [n for n in STATEMENTS if "migration" not in n])
def test_time_and_columns_come_from_outside(name: str) -> None:
    code = re.sub(r"--.*", "", STATEMENTS[name])
    assert not re.search(r"\bnow\(\)|\bcurrent_(timestamp|date)\b", code), (
        "the batch gives load_dt: a repeat must decide as the first time did"
    )
    assert not re.search(r"SELECT \*", code), "name the columns"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_lines_are_short_enough_to_read(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    without_jinja = [re.sub(r"{[{%#].*?[}%#]}", "", line) for line in lines]
    assert [line for line in without_jinja if len(line) > MOST_COLUMNS] == []
    assert [line for line in lines if line != line.rstrip()] == []


@cache
def _linter() -> Linter:
    return Linter(config=FluffConfig.from_path(str(ROOT)))


def _as_linted(statement: str) -> str:
    """Put values in the parameters' places, and simpler SQL where sqlfluff fails."""
    text = statement
    for shape in _shapes():
        # Made from shape.yaml, for the server only; tests/integration has its test.
        text = text.replace(shape.accepts(), "TRUE")
    text = re.sub(r"WHEN \(.*\) IS NOT TRUE\n", "WHEN TRUE\n", text)
    text = re.sub(r"%\((\w+)\)s", r"'\1'", text).replace("%%", "%")
    # It takes the FROM in them for the clause's.
    text = re.sub(r"\bIS (NOT )?DISTINCT FROM\b", "=", text)
    text = re.sub(
        r"ROWS FROM \(\s*(\w+\([^)]*\))\s*AS \([^)]*\)\s*\) WITH ORDINALITY",
        r"\1 WITH ORDINALITY",
        text,
    )
    # It indents what follows in one place and not in another.
    text = re.sub(r" LATERAL\b", "", text)
    return text.rstrip() + "\n"


@cache
def _shapes() -> list[Shape]:
    return load_shapes(SQL_FOLDER / "stg" / "orders" / "shape.yaml")

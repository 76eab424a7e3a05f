"""The SQL looks as it should: each statement as the server gets it, each file as is."""

import re
from functools import cache
from pathlib import Path

import pytest
from sqlfluff.core import FluffConfig, Linter

from palate import sql
from palate.names import AREAS_FOLDER, SQL_FOLDER
from palate.sources.shape import Shape, load_shapes
from palate.table_set import TableSet
from tests.sql.rendered import all_statements, rebuilt_statements

ROOT = SQL_FOLDER.parent
FILES = sorted(SQL_FOLDER.rglob("*.sql"))
MOST_COLUMNS = 88
STATEMENTS = dict(all_statements())
REBUILT = dict(rebuilt_statements(TableSet.LIVE))
# What a rebuild runs for its own tables; the tags are not rebuilt.
REBUILT_FILES = [
    str(path.relative_to(SQL_FOLDER))
    for path in FILES
    if path.is_relative_to(SQL_FOLDER / "engine")
    or path.match("areas/*/dds/views/*")
    or path.match("areas/*/dds/parts/*")
    or path.match("areas/*/contributions/*")
    or path.match("areas/*/sources/*/parse/*")
    or (path.parent / "mart.yaml").exists()
]


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


@pytest.mark.parametrize("path", REBUILT_FILES)
def test_file_that_a_rebuild_runs_names_no_live_table(path: str) -> None:
    found = [f"sql/{path}:{line}: {word}" for line, word in sql.live_names(path)]
    assert found == [], "a rebuild would read or write it: say {{ dds }} or {{ cdm }}"


@pytest.mark.parametrize("name", REBUILT)
def test_rebuild_runs_the_live_statement_about_its_own_tables(name: str) -> None:
    text = _of_rebuild()[name]
    assert re.findall(r"\b(?:dds|cdm)\.\S+", text) == []
    for schema in ("dds", "cdm"):
        text = text.replace(f"{schema}_rebuild.", f"{schema}.")
    text = text.replace("ops.rebuild_rejected", "stg.rejected_messages")
    assert text == REBUILT[name]


@cache
def _of_rebuild() -> dict[str, str]:
    return dict(rebuilt_statements(TableSet.SHADOW))


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
    # It takes a collation for a column.
    text = text.replace(' COLLATE "C"', "")
    # It indents what follows in one place and not in another.
    text = re.sub(r" LATERAL\b", "", text)
    return text.rstrip() + "\n"


@cache
def _shapes() -> list[Shape]:
    paths = AREAS_FOLDER.glob("*/sources/*/shape.yaml")
    return [shape for path in paths for shape in load_shapes(path)]

"""Schemas of datasets: what a judge says, and which files it refuses to judge by."""

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from palate.errors import DefinitionError
from palate.files import datasets
from palate.files.records import Form, Limits, Records
from palate.files.schema import Judge, judge_of
from palate.schema import migrate

EXAMPLES = sorted(datasets.FOLDER.glob("*/examples/*.json"))


def judge(tmp_path: Path, schema: Any) -> Judge:
    path = tmp_path / "schema.json"
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return Judge(path)


def problems(by: Judge, value: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.pointer, one.reason) for one in by.problems(1, value)]


def judged(path: Path) -> list[tuple[int, str, str]]:
    """Return what is wrong with a file of a dataset, as the stage finds it."""
    by = Judge(path.parents[1] / "schema.json")
    reading = Records(Form.JSON, Limits(), keep=True)
    records = [*reading.feed(path.read_bytes()), *reading.finish()]
    return [
        (one.record, one.pointer, one.reason)
        for record in records
        for one in by.problems(record.number, record.value)
    ]


WRONG = {
    "no_json": ("{", "this is no JSON"),
    "no_schema": ([], "a schema is an object"),
    "unknown_keyword": ({"properties": {"a": {"maxLen": 1}}}, "/properties/a/maxLen"),
    "remote_ref": ({"$ref": "https://example.com/s.json"}, "is not in this file"),
    "remote_dynamic": ({"allOf": [{"$dynamicRef": "x#y"}]}, "/allOf/0/$dynamicRef"),
    "missing_ref": ({"$ref": "#/$defs/gone"}, "gone"),
    "type": ({"type": "text"}, "text"),
    "looks_ahead": ({"properties": {"a": {"pattern": "^(?=a)"}}}, "schema.json"),
    "refers_back": ({"properties": {"a": {"pattern": r"(a)\1"}}}, "schema.json"),
    "unknown_format": ({"properties": {"a": {"format": "iban"}}}, "iban"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_schema_is_refused_by_its_file(tmp_path: Path, name: str) -> None:
    schema, said = WRONG[name]
    with pytest.raises(DefinitionError, match="Add a dataset") as found:
        judge(tmp_path, schema)
    assert str(tmp_path / "schema.json") in str(found.value)
    assert said in str(found.value)


def test_pointer_is_escaped_and_reason_is_the_keyword(tmp_path: Path) -> None:
    by = judge(
        tmp_path,
        {
            "required": ["k"],
            "properties": {"a/b~c": {"items": {"maximum": 90}}},
        },
    )
    found = problems(by, {"a/b~c": [1, 100]})
    assert found == [("", "required"), ("/a~1b~0c/1", "maximum")]


@pytest.mark.parametrize(
    ("schema", "value", "is_good"),
    [
        ({"type": "integer"}, Decimal("1.0"), True),  # judged by value
        ({"type": "integer"}, Decimal("1.5"), False),
        ({"type": "integer"}, 2**64, True),
        ({"const": 2**53 + 1}, 2**53, False),  # exact
        ({"format": "date"}, "2026-02-30", False),  # format is asserted
        ({"format": "date"}, "2026-02-28", True),
        ({"type": "boolean"}, 0, False),
    ],
)
def test_values(tmp_path: Path, schema: Any, value: Any, is_good: bool) -> None:
    by = judge(tmp_path, {"properties": {"a": schema}})
    assert (problems(by, {"a": value}) == []) is is_good


@pytest.mark.parametrize("number", ["1e400", "-1e200000", f"1e{'9' * 30}", "1e9999999"])
def test_large_number_is_judged_at_once(tmp_path: Path, number: str) -> None:
    reading = Records(Form.JSON, Limits(), keep=True)
    (record,) = [*reading.feed(f'{{"a": {number}}}'.encode()), *reading.finish()]
    by = judge(tmp_path, {"properties": {"a": {"type": "integer", "maximum": 9}}})
    found = problems(by, record.value)
    assert found == ([("/a", "maximum")] if number[0] != "-" else [])


def test_unknown_fields_pass(tmp_path: Path) -> None:
    assert problems(judge(tmp_path, {"properties": {"a": True}}), {"b": 1}) == []


def test_detail_has_at_most_200_characters(tmp_path: Path) -> None:
    by = judge(tmp_path, {"properties": {"a": {"maxLength": 1}}})
    (found,) = by.problems(1, {"a": "x" * 10_000})
    assert len(found.detail) <= 200


def test_costly_pattern_is_quick(tmp_path: Path) -> None:
    by = judge(tmp_path, {"properties": {"a": {"pattern": "^(a+)+$"}}})
    assert problems(by, {"a": "a" * 50_000 + "b"}) == [("/a", "pattern")]


def test_wrong_schema_of_any_dataset_is_refused_by_migrate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sources"
    shutil.copytree(datasets.FOLDER, folder)
    monkeypatch.setattr(datasets, "FOLDER", folder)
    monkeypatch.setattr(datasets.datasets, "__defaults__", (folder,))
    migrate._read_all_files()
    (folder / "companies" / "schema.json").write_text('{"maxLen": 1}')
    judge_of.cache_clear()
    with pytest.raises(DefinitionError, match="there is no keyword maxLen"):
        migrate._read_all_files()


def test_each_dataset_has_good_and_bad_examples_and_a_command() -> None:
    for dataset in datasets.datasets().values():
        folder = dataset.schema.parent / "examples"
        assert [*folder.glob("good_*.json")], dataset.name
        assert [*folder.glob("bad_*.json")], dataset.name
        assert "curl" in (folder / "send.sh").read_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_what_its_name_says(path: Path) -> None:
    if path.stem.startswith("good_"):
        assert judged(path) == []
        return
    gives = json.loads(path.with_suffix(".gives").read_text())
    assert judged(path) == [tuple(one) for one in gives]

import re
from pathlib import Path

import pytest

from palate.errors import DefinitionError
from palate.names import AREAS_FOLDER, SQL_FOLDER, FileReason, Reason
from palate.sources.changes import load_changed_tables
from palate.sources.shape import Shape, load_reasons, load_shapes

SMALL = """
kind: {field: k, text: small, otherwise: not_small}
types:
  number: {json: number, whole: true, least: 0, most: 9}
  id: {json: string, shortest: 1, longest: 3}
  time: {json: string, time: true}
forms:
  small:
    required: {a: number, d: time}
    optional: {b.c: id}
    lists:
      b.lines:
        required: {id: id}
    version_time: d
"""


@pytest.fixture
def small(tmp_path: Path) -> Shape:
    path = tmp_path / "shape.yaml"
    path.write_text(SMALL, encoding="utf-8")
    (shape,) = load_shapes(path)
    return shape


def test_rules_go_from_outside_to_inside_and_from_type_to_range(small: Shape) -> None:
    assert [(reason, detail) for reason, detail, _ in small.rules()] == [
        (Reason.WRONG_SHAPE, "b must be an object"),
        (Reason.WRONG_SHAPE, "b.lines must be a list, if there is one"),
        (Reason.WRONG_SHAPE, "a must be a number"),
        (Reason.WRONG_SHAPE, "a must be a whole number"),
        (Reason.WRONG_SHAPE, "d must be a string"),
        (Reason.WRONG_SHAPE, "d must have the form YYYY-MM-DD HH:MM:SS"),
        (Reason.WRONG_SHAPE, "b.c, if any, must be a string"),
        (Reason.WRONG_SHAPE, "b.lines must hold objects only"),
        (Reason.WRONG_SHAPE, "id in b.lines must be a string"),
        (Reason.OUT_OF_RANGE, "a must be from 0 to 9"),
        (Reason.OUT_OF_RANGE, "d must be a time that exists"),
        (Reason.OUT_OF_RANGE, "b.c, if any, must have 1 to 3 characters"),
        (Reason.OUT_OF_RANGE, "id in b.lines must have 1 to 3 characters"),
    ]


# (text, another text in its place, what the message must say)
WRONG = {
    "unknown_type": ("b.c: id", "b.c: text", "there is no type text"),
    "no_version_time": ("version_time: d", "", "forms.small.version_time: Field req"),
    "version_time_of_none": ("_time: d", "_time: e", "version_time of small names e"),
    "version_time_of_text": ("_time: d", "_time: b.c", "version_time of small names b"),
    "unknown_field": ("optional:", "optionl:", "forms.small.optionl: Extra inputs"),
    "no_end": ("least: 0, most: 9", "least: 0", "a number has least and most"),
    "no_length": (", longest: 3", "", "a string has shortest and longest, or time"),
    "name_with_a_hyphen": ("{a: num", "{a-b: num", "forms.small.required.a-b"),
    "capitals_in_a_list": ("{id: id}", "{iD: id}", "lists.b.lines.required.iD"),
    "no_yaml": ("kind: {", "kind: {{", "this is no YAML"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_shape_is_refused_by_a_sentence(tmp_path: Path, name: str) -> None:
    old, new, message = WRONG[name]
    assert old in SMALL
    path = tmp_path / "shape.yaml"
    path.write_text(SMALL.replace(old, new), encoding="utf-8")
    with pytest.raises(DefinitionError, match=re.escape(message)) as raised:
        load_shapes(path)
    assert str(raised.value).startswith(str(path))


def test_null_counts_as_missing_where_a_field_is_optional(small: Shape) -> None:
    (condition,) = [
        c
        for _, detail, c in small.rules()
        if detail.startswith("b.c, if") and "string" in detail
    ]
    assert condition.startswith("((doc #>> '{b,c}') IS NULL OR ")


def test_types_are_told_before_what_rests_on_them(small: Shape) -> None:
    """A list that is none would fail the whole batch."""
    accepts = small.accepts()
    guard, unpacked = accepts.index("THEN"), accepts.index("jsonb_to_recordset")
    assert accepts.startswith("CASE WHEN doc @@ ")
    assert guard < unpacked


def test_texts_outside_of_lists_have_columns(small: Shape) -> None:
    assert small.texts == {"d": "(doc #>> '{d}')", "b_c": "(doc #>> '{b,c}')"}
    assert small.version_time == "d"


@pytest.mark.parametrize("form", ["raw", "enriched"])
def test_every_rule_of_a_source_has_a_sentence(form: str) -> None:
    shapes = load_shapes(
        SQL_FOLDER / "areas" / "food" / "sources" / "orders" / "shape.yaml"
    )
    (shape,) = [shape for shape in shapes if shape.form == form]
    details = [detail for _, detail, _ in shape.rules()]
    assert len(details) == len(set(details)) > 20
    assert all(" must " in detail for detail in details)
    # They stand in SQL between quotes.
    assert not any("'" in detail for detail in details)


def test_every_reason_that_is_given_is_known_by_name() -> None:
    path = SQL_FOLDER / "engine" / "parse" / "judged.sql"
    judged = path.read_text(encoding="utf-8")
    given = set(re.findall(r"THEN '(\w+)'", judged)) - {"unfit"}  # told by the rules
    for path in AREAS_FOLDER.glob("*/sources/*/shape.yaml"):
        for shape in load_shapes(path):
            given |= {reason for reason, _, _ in shape.rules()}
            given.add(shape.kind.reason)
    for path in AREAS_FOLDER.glob("*/sources/*/tables.yaml"):
        for table in load_changed_tables(path):
            given |= {rule.reason for rule in table.rules}
    given |= set(FileReason)

    assert given == set(load_reasons())


def test_kind_of_a_message_has_a_sentence(small: Shape) -> None:
    assert small.kind.reason == "not_small"
    assert small.kind.sentence == "it is no object whose k is the text small"

"""From a source's ``shape.yaml`` to the SQL that accepts or refuses a message.

``Shape.accepts`` is one fast condition over every message. ``Shape.rules`` tells the
same field by field, to say what is wrong with a message that was refused. Both are
made from the same table; a test compares them over the corpus of odd messages.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

WRONG_SHAPE = "wrong_shape"
OUT_OF_RANGE = "value_out_of_range"

_TIME_FORM = (
    "{0} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}$'"
)
# A time of the right form that exists reads the same after PostgreSQL has parsed and
# written it; jsonpath parses without raising, and faster than a regular expression.
# (A year of five digits would pass, hence the length.)
_TIME_EXISTS = (
    "char_length({0}) = 19 AND "
    "jsonb_path_query_first({1}, '$.datetime(\"YYYY-MM-DD HH24:MI:SS\")', '{{}}', TRUE)"
    " #>> '{{}}' = replace({0}, ' ', 'T')"
)
# jsonb sorts null < text < number < boolean < list < object: a comparison tells the
# type and the range at once, in half the time that jsonb_typeof takes. But an empty
# list sorts before null.
_LEAST_TEXT = "'\"\"'::jsonb"
_BELOW_NUMBERS = "'-1e131071'::jsonb"
_LEAST_OBJECT = "'{}'::jsonb"


class Use(Enum):
    """Where a test is used: ``THEN`` may rest on ``FIRST``; ``REASON`` only names."""

    FIRST = 1
    THEN = 2
    REASON = 3


@dataclass(frozen=True)
class Test:
    """One thing that must hold, of the jsonb ``doc`` or of each ``e`` of a list."""

    reason: str
    of_each: str | None
    condition: str
    detail: str
    uses: frozenset[Use]


@dataclass(frozen=True)
class Shape:
    """What one form of messages must look like."""

    form: str
    version_time: str
    lists: tuple[str, ...]
    tests: tuple[Test, ...]

    def accepts(self) -> str:
        """Return SQL over ``doc`` that is true for an accepted message only."""
        each = [
            _of_each(
                path, _guarded(self._used(Use.FIRST, path), self._used(Use.THEN, path))
            )
            for path in self.lists
        ]
        return _guarded(
            self._used(Use.FIRST, None), [*self._used(Use.THEN, None), *each]
        )

    def rules(self) -> list[tuple[str, str, str]]:
        """Return (reason, detail, SQL over ``doc``), in the order to evaluate them."""
        return [
            (
                test.reason,
                test.detail,
                _of_each(test.of_each, test.condition)
                if test.of_each
                else test.condition,
            )
            for reason in (WRONG_SHAPE, OUT_OF_RANGE)
            for test in self.tests
            if test.reason == reason and Use.REASON in test.uses
        ]

    def _used(self, use: Use, of_each: str | None) -> list[str]:
        return [
            test.condition
            for test in self.tests
            if use in test.uses and test.of_each == of_each
        ]


def load_shapes(path: Path) -> list[Shape]:
    """Return the shape of each form in a ``shape.yaml``."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        Shape(
            form=name,
            version_time=_Field(form["version_time"], None, True).text,
            lists=tuple(form.get("lists", {})),
            tests=tuple(_tests(content["types"], form)),
        )
        for name, form in content["forms"].items()
    ]


_FIRST = frozenset({Use.FIRST})
_THEN = frozenset({Use.THEN})
_REASON = frozenset({Use.REASON})


def _tests(types: dict[str, Any], form: dict[str, Any]) -> Iterable[Test]:
    lists = form.get("lists", {})
    paths = [*form["required"], *form.get("optional", {}), *lists]
    for parent in sorted({path.rpartition(".")[0] for path in paths} - {""}):
        field = _Field(parent, None, True)
        yield field.test(
            WRONG_SHAPE, f"{field.kind} = 'object'", "be an object", _REASON
        )
    for path in lists:
        # The text of a whole list is dear; its type tells as much.
        field = _Field(path, None, True)
        condition = f"coalesce({field.kind}, 'null') IN ('array', 'null')"
        what = "be a list, if there is one"
        yield field.test(WRONG_SHAPE, condition, what, _REASON | _FIRST)
    for path, other in form.get("equal", {}).items():
        field = _Field(path, None, False)
        condition = f"{field.value} = {_Field(other, None, True).value}"
        yield field.test(WRONG_SHAPE, condition, f"equal {other}", _REASON | _FIRST)
    yield from _fields(form, types, None)
    for path, element in lists.items():
        detail = f"{path} must hold objects only"
        condition = f"e >= {_LEAST_OBJECT}"
        yield Test(WRONG_SHAPE, path, condition, detail, _REASON | _FIRST)
        yield from _fields(element, types, path)


def _fields(
    fields: dict[str, Any], types: dict[str, Any], of_each: str | None
) -> Iterable[Test]:
    for required in (True, False):
        group = fields.get("required" if required else "optional", {})
        for path, name in group.items():
            field = _Field(path, of_each, required)
            yield from _type_tests(field, types[name])


def _type_tests(field: "_Field", type: dict[str, Any]) -> Iterable[Test]:
    value, text, json = field.value, field.text, type["json"]
    what = f"be a {json}"
    yield field.test(WRONG_SHAPE, f"{field.kind} = '{json}'", what, _REASON)
    if type.get("whole"):
        whole = f"{value}::numeric %% 1 = 0"
        yield field.test(WRONG_SHAPE, whole, "be a whole number", _REASON | _THEN)
    if type.get("time"):
        form = _TIME_FORM.format(text)
        what = "have the form YYYY-MM-DD HH:MM:SS"
        yield field.test(WRONG_SHAPE, form, what, _REASON)
        exists = _TIME_EXISTS.format(text, value)
        yield field.test(OUT_OF_RANGE, exists, "be a time that exists", _REASON | _THEN)
    if "least" in type:
        low, high = type["least"], type["most"]
        what = f"be from {low} to {high}"
        condition = f"{value} BETWEEN '{low}'::jsonb AND '{high}'::jsonb"
        yield field.test(OUT_OF_RANGE, condition, what, _REASON | _FIRST)
    if "decimals" in type:
        number = type["decimals"]
        condition = f"scale(trim_scale({value}::numeric)) <= {number}"
        what = f"have at most {number} decimals"
        yield field.test(OUT_OF_RANGE, condition, what, _REASON | _THEN)
    if "longest" in type:
        is_text = f"{value} BETWEEN {_LEAST_TEXT} AND {_BELOW_NUMBERS}"
        yield field.test(WRONG_SHAPE, is_text, "", _FIRST)
        low, high = type["shortest"], type["longest"]
        condition = f"char_length({text}) BETWEEN {low} AND {high}"
        what = f"have {low} to {high} characters"
        yield field.test(OUT_OF_RANGE, condition, what, _REASON | _THEN)


@dataclass(frozen=True)
class _Field:
    path: str
    of_each: str | None
    required: bool

    @property
    def value(self) -> str:
        if self.of_each:
            return f"(e -> '{self.path}')"
        return f"(doc #> '{_array(self.path)}')"

    @property
    def text(self) -> str:
        return self.value.replace("-> '", "->> '").replace("#> '", "#>> '")

    @property
    def kind(self) -> str:
        return f"jsonb_typeof({self.value})"

    def test(
        self, reason: str, condition: str, what: str, uses: frozenset[Use]
    ) -> Test:
        where = f"{self.path} in {self.of_each}" if self.of_each else self.path
        if not self.required:
            # A JSON null counts as missing; both have no text.
            condition = f"({self.text} IS NULL OR {condition})"
            where += ", if any,"
        return Test(reason, self.of_each, condition, f"{where} must {what}", uses)


def _array(path: str) -> str:
    return "{" + path.replace(".", ",") + "}"


def _guarded(first: list[str], then: list[str]) -> str:
    # CASE is the one form in which PostgreSQL promises an order of evaluation.
    return (
        f"CASE WHEN {' AND '.join(first) or 'TRUE'}"
        f" THEN {' AND '.join(then) or 'TRUE'} ELSE FALSE END"
    )


def _of_each(path: str, condition: str) -> str:
    # bool_and passes over NULL, and what isn't true is wrong.
    array = f"doc #> '{_array(path)}'"
    return (
        f"(SELECT coalesce(bool_and(({condition}) IS TRUE), TRUE)"
        f" FROM jsonb_array_elements("
        f"CASE WHEN jsonb_typeof({array}) = 'array' THEN {array} END) AS e)"
    )

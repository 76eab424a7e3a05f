"""Records of a file, as far as the door and the stage judge them alike."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.files.json_faults import find_fault
from palate.files.records import Form, Limits, Record, Records
from palate.files.refusals import Place, Reason, RefusedError

NDJSON = Form.NDJSON
LIMITS = Limits()


def records(
    content: bytes,
    form: Form = Form.JSON,
    *,
    limits: Limits = LIMITS,
    keep: bool = True,
    cuts: list[int] | None = None,
) -> list[Record]:
    """Read a file, in chunks of these sizes and the rest."""
    reading = Records(form, limits, keep=keep)
    found, at = [], 0
    for size in cuts or []:
        found += reading.feed(content[at : at + size])
        at += size
    found += reading.feed(content[at:])
    found += reading.finish()
    assert not keep or reading.count == len(found)
    return found


def refused(content: bytes, form: Form = Form.JSON, **how: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        records(content, form, **how)
    with pytest.raises(RefusedError) as at_the_door:
        records(content, form, **(how | {"keep": False}))
    assert str(at_the_door.value) == str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a": 1}', [b'{"a": 1}']),
        (b' \r\n\t{"a": {}} \n', [b'{"a": {}}']),
        (b"[]", []),
        (b" [ ] ", []),
        (b'[{"a":1} , {"b":2}]', [b'{"a":1}', b'{"b":2}']),
        (rb'{"a":"\ud83d\ude00\\u0000"}', [rb'{"a":"\ud83d\ude00\\u0000"}']),
        ('{"я":"😀"}'.encode(), ['{"я":"😀"}'.encode()]),
        (b'{"n": 1e400, "m": 18446744073709551616}', None),
    ],
)
def test_json_that_is_let_in(content: bytes, expected: list[bytes] | None) -> None:
    wanted = [content] if expected is None else expected
    assert [one.content for one in records(content)] == wanted


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\r\n\r\n  \n\t{"b":2}  \r\n', [b'{"a":1}', b'{"b":2}']),
        (b'\n{"a":1}\n', [b'{"a":1}']),
    ],
)
def test_lines_that_are_let_in(content: bytes, expected: list[bytes]) -> None:
    found = records(content, NDJSON)
    assert [one.content for one in found] == expected
    assert [one.number for one in found] == [1, 2][: len(found)]


@pytest.mark.parametrize(
    ("content", "reason", "place"),
    [
        (b"", Reason.NOT_JSON, (1, 0)),
        (b" \n ", Reason.NOT_JSON, (1, 3)),
        (b'[{"a":1},]', Reason.NOT_JSON, (2, 9)),
        (b'[{"a":1}', Reason.NOT_JSON, (2, 8)),
        (b'[{"a":1} {"a":1}]', Reason.NOT_JSON, (2, 9)),
        (b"[", Reason.NOT_JSON, (1, 1)),
        (b"[1]", Reason.NOT_AN_OBJECT, (1, 1)),
        (b'[{},["a"]]', Reason.NOT_AN_OBJECT, (2, 4)),
        (b"5", Reason.NOT_AN_OBJECT, (1, 0)),
        (b'""', Reason.NOT_AN_OBJECT, (1, 0)),
        (b"tru", Reason.NOT_JSON, (1, 0)),
        (b'{"a":1}\n{"a":2}', Reason.NOT_JSON, (2, 8)),
        (b'{"a":1,"a":2}', Reason.NOT_JSON, (1, 7)),
        (b'{"b":{"a":1,"\\u0061":2}}', Reason.NOT_JSON, (1, 12)),
        (b'\xef\xbb\xbf{"a":1}', Reason.NOT_JSON, (1, 0)),
        ('{"a":1}'.encode("utf-16"), Reason.NOT_JSON, (1, 0)),
        (b'{"a":"\xff"}', Reason.NOT_JSON, (1, 6)),
        (b'{"a":"\xc0\xaf"}', Reason.NOT_JSON, (1, 6)),
        (b'{"a":"\xed\xa0\x80"}', Reason.NOT_JSON, (1, 6)),
        (b'{"a":"\xd1', Reason.NOT_JSON, (1, 6)),
        (rb'{"a":"\ud800"}', Reason.NOT_JSON, (1, 6)),
        (rb'{"a":"\ude00\ud83d"}', Reason.NOT_JSON, (1, 6)),
        (rb'{"a":"\u0000"}', Reason.NOT_JSON, (1, 6)),
        (rb'{"\u0000":1}', Reason.NOT_JSON, (1, 2)),
        (b'{"a":"\x00"}', Reason.NOT_JSON, (1, 6)),
        (b'{"a":"\n"}', Reason.NOT_JSON, (1, 6)),
        (b'{"a":NaN}', Reason.NOT_JSON, (1, 5)),
        (b'{"a":[-Infinity]}', Reason.NOT_JSON, (1, 6)),
        (b'{"a":01}', Reason.NOT_JSON, (1, 6)),
        (b"{'a':1}", Reason.NOT_JSON, (1, 1)),
        (b'{"a":' + b"1" * 1_001 + b"}", Reason.NUMBER_TOO_LONG, (1, 5)),
        (b'{"a":0.' + b"1" * 1_000 + b"}", Reason.NUMBER_TOO_LONG, (1, 5)),
        (b'{"a":' * 101, Reason.NOT_JSON, (1, 505)),
        (b'{"a":' * 101 + b"1" + b"}" * 101, Reason.TOO_DEEP, (1, 500)),
        (b'{"a":' + b"[" * 100_000, Reason.TOO_DEEP, (1, 104)),
        (b"[" * 100_000, Reason.TOO_DEEP, (1, 101)),
        ('{"я":1,"я":2}'.encode(), Reason.NOT_JSON, (1, 8)),
    ],
)
def test_json_that_is_refused(
    content: bytes, reason: Reason, place: tuple[int, int]
) -> None:
    error = refused(content)
    assert (error.reason, error.place) == (reason, Place(*place))
    one_by_one = refused(content, cuts=[1] * len(content))
    assert str(one_by_one) == str(error)


@pytest.mark.parametrize(
    ("content", "reason", "place"),
    [
        (b" \n", Reason.NOT_JSON, (1, 2, 2)),
        (b'{"a":1}\n{"a":', Reason.NOT_JSON, (2, 13, 2)),
        (b'{"a":\n1}', Reason.NOT_JSON, (1, 5, 1)),
        (b'{"a":1}\n\n{} {}', Reason.NOT_JSON, (2, 12, 3)),
        (b'{"a":1},\n{}', Reason.NOT_JSON, (1, 7, 1)),
        (b"{}\n[{}]", Reason.NOT_AN_OBJECT, (2, 3, 2)),
        (b"{}\n  7 \n{}", Reason.NOT_AN_OBJECT, (2, 5, 2)),
        (b'{}\n{"a":"\xff"}', Reason.NOT_JSON, (2, 9, 2)),
    ],
)
def test_lines_that_are_refused(
    content: bytes, reason: Reason, place: tuple[int, int, int]
) -> None:
    error = refused(content, NDJSON)
    assert (error.reason, error.place) == (reason, Place(*place))
    assert str(refused(content, NDJSON, cuts=[1] * len(content))) == str(error)


def test_a_hundred_levels_and_many_brackets_are_let_in() -> None:
    deep = b'{"a":' * 99 + b'{"a":"[[[\\"{"}' + b"}" * 99
    wide = b'{"a":[' + b",".join([b'{"b":[]}'] * 1_000) + b"]}"
    assert len(records(deep)) == len(records(wide)) == 1


def test_depth_at_the_edge_is_counted_alike_by_both_ways() -> None:
    for depth in range(1, 12):
        text = '{"a":[' * depth + "]}" * depth
        limits = Limits(depth=10)
        if 2 * depth <= 10:
            assert len(records(text.encode(), limits=limits)) == 1
        else:
            assert refused(text.encode(), limits=limits).reason is Reason.TOO_DEEP


def test_large_records_are_refused_by_their_bytes() -> None:
    limits = Limits(record_bytes=1_000)
    fits = b'{"a":"' + b"x" * 992 + b'"}'
    assert len(records(fits, limits=limits)) == 1
    for content in (fits.replace(b"x", b"xx"), b'{"a":"' + b"x" * 9_999):
        error = refused(content, limits=limits)
        assert (error.reason, error.place) == (Reason.RECORD_TOO_LARGE, Place(1, 0))
    cyrillic = '{"a":"' + "я" * 600 + '"}'
    assert refused(cyrillic.encode(), limits=limits).reason is Reason.RECORD_TOO_LARGE
    line = refused(
        b"{}\n" + fits + b" " * 10_000, NDJSON, limits=limits, cuts=[50] * 80
    )
    assert line.reason is Reason.RECORD_TOO_LARGE


def test_one_record_more_than_allowed_is_refused() -> None:
    limits = Limits(records=2)
    assert len(records(b"[{},{}]", limits=limits)) == 2
    for content, form in ((b"[{},{},{}]", Form.JSON), (b"{}\n{}\n{}", NDJSON)):
        error = refused(content, form, limits=limits)
        assert error.reason is Reason.TOO_MANY_RECORDS


def test_no_answer_quotes_more_than_a_little_of_the_file() -> None:
    key = '"' + "<script>" * 100 + '"'
    error = refused(f"{{{key}:1,{key}:2}}".encode())
    assert len(error.detail) < 200
    assert "\n" not in refused(b'{"\\n":1,"\\n":2}').detail


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS,
    lambda some: st.lists(some, max_size=4) | st.dictionaries(_TEXTS, some, max_size=4),
    max_leaves=12,
)
_RECORDS = st.lists(st.dictionaries(_TEXTS, _VALUES, max_size=4), max_size=5)
_CUTS = st.lists(st.integers(1, 20), max_size=60)


@given(_RECORDS, _CUTS, st.booleans())
def test_what_is_json_comes_out_as_it_was(
    values: list[dict[str, Any]], cuts: list[int], is_ascii: bool
) -> None:
    texts = [json.dumps(one, ensure_ascii=is_ascii) for one in values]
    finite = [t for t in texts if "Infinity" not in t]
    whole = f"[{' , '.join(finite)}]".encode()
    found = records(whole, cuts=cuts)
    assert [one.content.decode() for one in found] == finite
    assert [one.value for one in found] == [json.loads(text) for text in finite]
    if finite:
        lines = "\n".join(finite).encode()
        by_line = records(lines, NDJSON, cuts=cuts)
        assert [one.content for one in by_line] == [one.content for one in found]


# What is nearly JSON, with all that the door has an opinion on.
_PIECES = st.sampled_from(
    r"""
 { } [ ] , : "a" "b" "a":1 1 -0.5e1 12345678 NaN true nul \ " [[[[[[ ]]]]]] я
 "\ud83d" "\ude00" "\u0000" "\\u0000" {"a":1} {"a":1,"a":2}
"""[1:-1]
    .replace("\n", " ")
    .split(" ")
) | st.sampled_from([" ", "\n", "\ufeff"])
_NEARLY = st.lists(_PIECES, max_size=20).map("".join)


@given(_NEARLY | _NEARLY.map(lambda text: f"[{text}]"), _CUTS, st.sampled_from(Form))
def test_cuts_change_nothing(text: str, cuts: list[int], form: Form) -> None:
    content = text.encode()
    limits = Limits(depth=5, digits=7, records=3, record_bytes=20)
    assert _outcome(content, form, limits, []) == _outcome(content, form, limits, cuts)


@given(_NEARLY)
def test_what_is_let_in_is_what_a_strict_parser_lets_in(text: str) -> None:
    outcome = _outcome(text.encode(), Form.JSON, LIMITS, [])
    try:
        value = json.loads(text, object_pairs_hook=_strict_object, parse_constant=_no)
    except (ValueError, RecursionError):
        value = None
    some = value if isinstance(value, list) else [value]
    is_good = value is not None and all(isinstance(one, dict) for one in some)
    if is_good and find_fault(text, depth=101, digits=1_000):
        is_good = False
    assert is_good == isinstance(outcome, list)


def _outcome(content: bytes, form: Form, limits: Limits, cuts: list[int]) -> Any:
    try:
        return [r.content for r in records(content, form, limits=limits, cuts=cuts)]
    except RefusedError as error:
        return (error.reason, error.place, error.detail)


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError(pairs)
    return dict(pairs)


def _no(text: str) -> None:
    raise ValueError(text)

from decimal import Decimal

import pytest

from tests.model.jsonb import (
    NotJson,
    Undecided,
    canonical,
    digits_by_value,
    parse,
)


def test_values_are_read() -> None:
    value = parse(b' {"a": [1, -2.50, true, null], "b": {"c": ""}} ')
    assert value == {"a": [Decimal(1), Decimal("-2.50"), True, None], "b": {"c": ""}}


def test_escapes_are_characters() -> None:
    value = parse(rb'"\"\\\/\b\f\n\r\t\u0436\ud83d\ude00\\u0041"')
    assert value == '"\\/\b\f\n\r\tж😀\\u0041'


def test_last_of_a_repeated_key_counts() -> None:
    assert parse(rb'{"a": {"x": 1}, "b": 2, "\u0061": 3}') == {
        "a": Decimal(3),
        "b": Decimal(2),
    }


def test_numbers_are_exact() -> None:
    assert parse(b"9007199254740993.000000000000000000001") == Decimal(
        "9007199254740993.000000000000000000001"
    )


@pytest.mark.parametrize("token", ["0", "-0", "0.000", "0e100", "-0.0e-5"])
def test_every_zero_is_plain_zero(token: str) -> None:
    assert str(parse(token.encode())) == "0"


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("180.0", (0, "18", 1)),
        ("0.100000", (0, "1", -1)),
        ("-1e400", (1, "1", 400)),
        ("0.0", (0, "0", 0)),
        ("12.340", (0, "1234", -2)),
    ],
)
def test_digits_by_value(token: str, expected: tuple[int, str, int]) -> None:
    assert digits_by_value(Decimal(token)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a": 1, "b": 2}', b'{"b":2.0,"a":1e0}'),
        (b'"\\u0436"', '"ж"'.encode()),
        (b"[1e400]", b"[10e399]"),
        (b'{"a": 0, "a": 1}', b'{"a": 1}'),
    ],
)
def test_equal_values_have_one_canonical_text(one: bytes, other: bytes) -> None:
    assert canonical(parse(one)) == canonical(parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'"1"', b"1"),
        (b"true", b"1"),
        (b"[1, 2]", b"[2, 1]"),
        (b'{"a": null}', b"{}"),
        (b'["a\\", \\"b"]', b'["a", "b"]'),
        (b"1e-400", b"0"),
    ],
)
def test_other_values_have_other_canonical_texts(one: bytes, other: bytes) -> None:
    assert canonical(parse(one)) != canonical(parse(other))


@pytest.mark.parametrize("depth", [1_001, 13_000, 99_999])
def test_nothing_is_said_where_the_server_decides(depth: int) -> None:
    with pytest.raises(Undecided):
        parse(b"[" * depth + b"]" * depth)


def test_a_broken_text_is_refused_however_deep() -> None:
    with pytest.raises(NotJson):
        parse(b"[" * 5_000 + b"]" * 4_999)

"""The types and ranges of the contract's section 6, one function per kind of field.

Each reader takes a present value and returns it as Python has it; or it adds the
rules that the value breaks to ``broken`` and returns None.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from tests.model.jsonb import Value, digits_by_value

NOT_JSON = "not_json"
NOT_AN_ORDER = "not_an_order"
WRONG_SHAPE = "wrong_shape"
OUT_OF_RANGE = "value_out_of_range"
IN_FUTURE = "version_in_future"
OWN_MESSAGE = "own_message"

MOST_OBJECT_ID = 2**63 - 1
MOST_MONEY = 10**12
MOST_MONEY_DECIMALS = 5
MOST_QUANTITY = 10**6
LONGEST_ID = 100
LONGEST_TEXT = 1_000

Broken = set[str]
T = TypeVar("T")
Reader = Callable[[Value, Broken], T | None]

_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")


def required(
    fields: Mapping[str, Value], name: str, read: Reader[T], broken: Broken
) -> T | None:
    """Return the field; missing or null breaks the shape."""
    if fields.get(name) is None:
        broken.add(WRONG_SHAPE)
        return None
    return read(fields[name], broken)


def optional(
    fields: Mapping[str, Value], name: str, read: Reader[T], broken: Broken
) -> T | None:
    """Return the field, or None where it is missing or null."""
    if fields.get(name) is None:
        return None
    return read(fields[name], broken)


def an_object(value: Value, broken: Broken) -> dict[str, Value] | None:
    """Read an object."""
    if not isinstance(value, dict):
        broken.add(WRONG_SHAPE)
        return None
    return value


def objects(value: Value, broken: Broken) -> list[dict[str, Value]] | None:
    """Read a list whose every element is an object."""
    if not isinstance(value, list):
        broken.add(WRONG_SHAPE)
        return None
    if not all(isinstance(element, dict) for element in value):
        broken.add(WRONG_SHAPE)
    return [element for element in value if isinstance(element, dict)]


def short_text(value: Value, broken: Broken) -> str | None:
    """Read an id or a status: a text of 1 to 100 characters."""
    return _text(value, broken, 1, LONGEST_ID)


def long_text(value: Value, broken: Broken) -> str | None:
    """Read any other text: up to 1,000 characters, which may be none."""
    return _text(value, broken, 0, LONGEST_TEXT)


def order_id(value: Value, broken: Broken) -> int | None:
    """Read an ``object_id``."""
    return _whole(value, broken, 0, MOST_OBJECT_ID)


def quantity(value: Value, broken: Broken) -> int | None:
    """Read how many pieces a line has."""
    return _whole(value, broken, 1, MOST_QUANTITY)


def money(value: Value, broken: Broken) -> Decimal | None:
    """Read an amount of money, in roubles."""
    number = _number(value, broken)
    if number is None:
        return None
    _, _, exponent = digits_by_value(number)
    if exponent < -MOST_MONEY_DECIMALS or not 0 <= number <= MOST_MONEY:
        broken.add(OUT_OF_RANGE)
        return None
    return number


def time(value: Value, broken: Broken) -> datetime | None:
    """Read a time, which means UTC, as a ``datetime`` without a zone."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        broken.add(WRONG_SHAPE)
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        broken.add(OUT_OF_RANGE)
        return None


def _text(value: Value, broken: Broken, shortest: int, longest: int) -> str | None:
    if not isinstance(value, str):
        broken.add(WRONG_SHAPE)
        return None
    if not shortest <= len(value) <= longest:
        broken.add(OUT_OF_RANGE)
        return None
    return value


def _number(value: Value, broken: Broken) -> Decimal | None:
    if not isinstance(value, Decimal):
        broken.add(WRONG_SHAPE)
        return None
    return value


def _whole(value: Value, broken: Broken, least: int, most: int) -> int | None:
    number = _number(value, broken)
    if number is None:
        return None
    # Both rules may be broken at once: 0.5 has a fraction and is below 1.
    _, _, exponent = digits_by_value(number)
    has_fraction = exponent < 0
    in_range = least <= number <= most
    if has_fraction:
        broken.add(WRONG_SHAPE)
    if not in_range:
        broken.add(OUT_OF_RANGE)
    return int(number) if in_range and not has_fraction else None

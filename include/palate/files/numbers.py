"""Numbers that PostgreSQL has no room for: JSON allows them, and so may a schema."""

import json
import re
from collections.abc import Iterator
from typing import Any

from palate.files.schema import Problem, step

# Digits of a numeric before and behind the point.
_BEFORE, _BEHIND = 131_072, 16_383
_MAY_BE = re.compile(rb"[eE][+-]?0*[1-9][0-9]{3}")
_NUMBER = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")


class _Written(str):
    """A number as it is written."""

    __slots__ = ()


def problems(number: int, content: bytes) -> Iterator[Problem]:
    """Yield the numbers of a record that a table can't have.

    :param content: the record as it stands in its file; it was let in
    """
    if not _MAY_BE.search(content):
        return
    value = json.loads(content, parse_float=_Written)
    for pointer, one in _numbers(value, ""):
        whole, behind, power = _parts(one)
        if whole + power > _BEFORE or behind - power > _BEHIND:
            detail = f"{one[:40]} has more digits than can be kept"
            yield Problem(number, pointer, "number", detail)


def _numbers(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, _Written):
        yield pointer, value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _numbers(one, pointer + step(name))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _numbers(one, pointer + step(place))


def _parts(text: str) -> tuple[int, int, int]:
    """Return the digits before and behind the point, and the power of ten."""
    found = _NUMBER.fullmatch(text)
    if found is None:  # no float is written otherwise
        return 0, 0, 0
    whole, behind, power = found.groups(default="")
    return len(whole), len(behind), int(power or 0)

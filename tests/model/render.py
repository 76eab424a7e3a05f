"""JSON text in spellings of one's own choice, which ``json.dumps`` can't write."""

import json
from collections.abc import Iterable, Mapping
from typing import Any


class Literal(str):
    """A piece of JSON text that stands for itself, such as ``1e1``."""

    __slots__ = ()


def text(value: Any, *, escaped: bool = True, blank: str = " ") -> str:
    """Return the JSON text of a value whose leaves may be ``Literal``.

    An object may also be a list of pairs wrapped in ``Pairs``, to repeat a key.

    :param escaped: whether other characters than ASCII become ``\\u`` escapes
    :param blank: what stands after a comma and a colon
    """
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, Mapping | Pairs):
        pairs = value.items() if isinstance(value, Mapping) else value
        inside = (
            f"{json.dumps(name, ensure_ascii=escaped)}:{blank}"
            f"{text(field, escaped=escaped, blank=blank)}"
            for name, field in pairs
        )
        return "{" + f",{blank}".join(inside) + "}"
    if isinstance(value, list | tuple):
        inside = (text(element, escaped=escaped, blank=blank) for element in value)
        return "[" + f",{blank}".join(inside) + "]"
    return json.dumps(value, ensure_ascii=escaped, allow_nan=False)


class Pairs(list[tuple[str, Any]]):
    """The fields of an object in order; a key may stand twice."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        super().__init__(pairs)

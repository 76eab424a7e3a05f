"""Where a record is not what the door lets in, token by token.

The fast way (``records``) knows only that something is wrong. This one is slow, and
exact; a test holds both against each other.
"""

import json
import re
from dataclasses import dataclass

from palate.files.refusals import Reason, quoted

_TOKENS = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r'|(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")'
    r"|(?P<mark>[{}\[\],:])"
    r'|(?P<word>[^ \t\r\n{}\[\],:"]+)',
    re.DOTALL,
)
# A pair of surrogates; then what no string may have; then any other escape.
_ESCAPES = re.compile(
    r"\\(?:u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<bad>u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# Quick to search for, and mostly not there.
_MAYBE_BAD = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_NOT_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})
_BRACKETS = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


@dataclass(frozen=True)
class Fault:
    """What is wrong, and at which character."""

    at: int
    reason: Reason
    detail: str


def find_fault(text: str, depth: int, digits: int) -> Fault | None:
    """Return what the door doesn't let in, the first in the text.

    :param text: a JSON text, or the beginning of one
    :param depth: how deep it may be nested; the record itself is 1
    :param digits: how many a number may have
    """
    # Of each open bracket: the keys so far; None in a list.
    open_keys: list[set[str] | None] = []
    is_key = False
    for token in _TOKENS.finditer(text):
        at, found = token.start(), token.group()
        match token.lastgroup:
            case "string":
                escape = bad_escape(text, at, token.end())
                if escape is not None:
                    what = f"{text[escape : escape + 6]} is not allowed in a text"
                    return Fault(escape, Reason.NOT_JSON, what)
                keys = open_keys[-1] if open_keys else None
                if is_key and keys is not None:
                    key = json.loads(found, strict=False)
                    if key in keys:
                        what = f"the key {quoted(key)} comes twice in one object"
                        return Fault(at, Reason.NOT_JSON, what)
                    keys.add(key)
                is_key = False
            case "mark":
                if found in "{[":
                    open_keys.append(set() if found == "{" else None)
                    if len(open_keys) > depth:
                        what = f"it is nested deeper than {depth}"
                        return Fault(at, Reason.TOO_DEEP, what)
                elif found in "}]" and open_keys:
                    open_keys.pop()
                is_key = found in "{," and bool(open_keys) and open_keys[-1] is not None
            case "word":
                if found in _NOT_NUMBERS:
                    return Fault(at, Reason.NOT_JSON, f"{found} is no JSON number")
                if digits_of(found) > digits:
                    what = f"a number has more than {digits:,} digits"
                    return Fault(at, Reason.NUMBER_TOO_LONG, what)
    return None


def digits_of(number: str) -> int:
    """Return how many digits a number is written with, or 0 if it can't be too many."""
    return sum(map(str.isdigit, number))


def bad_escape(text: str, start: int, end: int) -> int | None:
    r"""Return where ``\u0000`` or half a pair of surrogates stands in a text."""
    if not _MAYBE_BAD.search(text, start, end):
        return None
    for escape in _ESCAPES.finditer(text, start, end):
        if escape.lastgroup:
            return escape.start()
    return None


def is_deeper(text: str, start: int, end: int, depth: int) -> bool:
    """Tell whether a well-formed JSON text is nested deeper than that.

    In each round the innermost brackets go. All of it is done by functions in C.
    """
    if text.count("[", start, end) + text.count("{", start, end) <= depth:
        return False
    content = text[start:end].encode()
    left = _STRINGS.sub(b"", content).translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(depth):
        left = left.replace(b"{}", b"")
        if not left:
            return False
    return True

"""JSON exactly as strict as PostgreSQL's ``jsonb``, with exact numbers.

The bounds of numbers were measured on PostgreSQL 15: 131,072 digits before the
point, 16,383 after it (counted as written, zeros included, less the exponent), an
exponent below 2^30. Nesting ends at a depth of about 13,000 with the usual
``max_stack_depth``; it depends on the machine, so nothing is said about 1,001 to
99,999 levels.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

Value = None | bool | Decimal | str | list["Value"] | dict[str, "Value"]

SURE_DEPTH = 1_000
TOO_DEEP = 100_000

MOST_WHOLE_DIGITS = 131_072
MOST_FRACTION_DIGITS = 16_383
MOST_EXPONENT = 2**30 - 2


class NotJson(Exception):
    """Raised when jsonb refuses the bytes."""


class Undecided(Exception):
    """Raised when it depends on the server whether jsonb takes the bytes."""


_BLANK = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(
    r"(?P<mark>[\[\]{}:,])"
    r'|(?P<string>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>true|false|null)"
)
_ESCAPE = re.compile(
    r"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u(?P<code>[0-9a-fA-F]{4})"
    r"|\\(?P<short>.)"
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}


def parse(data: bytes | None) -> Value:
    """Return the JSON value; of a repeated key the last counts.

    :raises NotJson: if jsonb refuses it
    :raises Undecided: if it is nested so deep that the server's settings decide
    """
    if data is None:
        raise NotJson("no value")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(str(error)) from error

    # Without recursion, since a message may be nested deeper than Python's stack.
    root: list[Value] = []
    open_ones: list[list[Value] | dict[str, Value]] = []
    keys: list[str] = []
    deepest = 0
    wanted = "value"
    for kind, token in _tokens(text):
        here = open_ones[-1] if open_ones else root
        if wanted in ("key", "key or }") and kind == "string":
            keys.append(_string(token))
            wanted = ":"
            continue
        if wanted == ":" and token == ":":
            wanted = "value"
            continue
        if wanted == "more" and token == "," and open_ones:
            wanted = "key" if isinstance(here, dict) else "value"
            continue
        closing = "}" if isinstance(here, dict) else "]"
        ends = wanted in ("more", f"key or {closing}", f"value or {closing}")
        if token == closing and open_ones and ends:
            open_ones.pop()
            wanted = "more"
            continue
        if not wanted.startswith("value") or token in ("]", "}", ":", ","):
            raise NotJson(f"{token[:20]!r} where {wanted} is wanted")

        value: Value
        if token == "{":
            value, wanted = {}, "key or }"
        elif token == "[":
            value, wanted = [], "value or ]"
        else:
            value, wanted = _scalar(kind, token), "more"
        if isinstance(here, dict):
            here[keys.pop()] = value
        else:
            here.append(value)
        if isinstance(value, dict | list):
            open_ones.append(value)
            deepest = max(deepest, len(open_ones))
    if wanted != "more" or open_ones:
        raise NotJson(f"ends where {wanted} is wanted")
    if deepest >= TOO_DEEP:
        raise NotJson(f"nested {deepest} deep")
    if deepest > SURE_DEPTH:
        raise Undecided(f"nested {deepest} deep")
    return root[0]


def canonical(value: Value) -> str:
    """Return a text that two values share exactly when jsonb calls them equal."""
    if isinstance(value, dict):
        pairs = (f"{_quoted(key)}: {canonical(value[key])}" for key in sorted(value))
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(canonical(element) for element in value) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Decimal):
        return _number_text(value)
    return {True: "true", False: "false", None: "null"}[value]


def digits_by_value(value: Decimal) -> tuple[int, str, int]:
    """Return (sign, digits, exponent) without trailing zeros; zero is (0, "0", 0).

    The context's precision has no say, unlike in ``Decimal.normalize``.
    """
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "JSON has no NaN and no Infinity"
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    if not stripped:
        return (0, "0", 0)
    return (sign, stripped, exponent + len(text) - len(stripped))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = _end_of_blanks(text, 0)
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise NotJson(f"no JSON at character {at}: {text[at : at + 20]!r}")
        yield match.lastgroup, match.group()
        at = _end_of_blanks(text, match.end())


def _end_of_blanks(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None
    return match.end()


def _scalar(kind: str, token: str) -> Value:
    if kind == "string":
        return _string(token)
    if kind == "number":
        return _number(token)
    return _WORDS[token]


def _string(token: str) -> str:
    return _ESCAPE.sub(_character, token[1:-1])


def _character(match: re.Match[str]) -> str:
    if match["short"]:
        return _SHORT.get(match["short"], match["short"])
    if match["high"]:
        high, low = int(match["high"], 16), int(match["low"], 16)
        return chr(0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00))
    code = int(match["code"], 16)
    if code == 0:
        raise NotJson("\\u0000 is no character of a text")
    if 0xD800 <= code <= 0xDFFF:
        raise NotJson(f"\\u{match['code']} is half a character")
    return chr(code)


def _number(token: str) -> Decimal:
    mantissa, _, exponent_text = token.lower().partition("e")
    exponent_digits = exponent_text.lstrip("+-").lstrip("0")
    if len(exponent_digits) > 10 or int(exponent_digits or "0") > MOST_EXPONENT:
        raise NotJson(f"the exponent of {token[:20]} is out of numeric's range")
    exponent = int(exponent_digits or "0")
    if exponent_text.startswith("-"):
        exponent = -exponent
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    if len(fraction) - exponent > MOST_FRACTION_DIGITS:
        raise NotJson(f"{token[:20]} has too many digits after the point")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return Decimal(0)
    if len(digits) - len(fraction) + exponent > MOST_WHOLE_DIGITS:
        raise NotJson(f"{token[:20]} has too many digits before the point")
    return Decimal(token)


def _number_text(value: Decimal) -> str:
    sign, digits, exponent = digits_by_value(value)
    if abs(exponent) <= 30:
        return f"{Decimal((sign, tuple(map(int, digits)), exponent)):f}"
    return f"{'-' * sign}{digits}e{exponent}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

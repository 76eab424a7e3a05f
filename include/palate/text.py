"""Foreign text made inert for display: one function for each medium.

``escape_controls`` is for terminals and logs, ``in_markdown`` for reports,
``in_any_medium`` for alarms, which may be mail, chat or a page. ``pretty`` shows bytes
of messages without parsing: numbers keep their digits, repeated keys stay, and invalid
JSON is shown all the same.
"""

import re
from collections.abc import Mapping
from typing import Any

_HEX_WIDTH = 16
_INDENT = "  "
# A JSON escape: the pair of a character beyond 16 bits, any other \u, any other.
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u([0-9a-fA-F]{4})|\\."
)
# Invisible, though they are letters or marks: two names would look alike.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# Begins a tag, a mention in a chat, or a quote of code.
_ELSEWHERE = str.maketrans({"<": "\u2039", ">": "\u203a", "`": "'"})
_SHOWN_CHARACTERS = 200
# A text that isn't closed goes to the end: to look for its end from each quote in it
# would take a long message hours.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def pretty(message: bytes | None) -> str:
    """Return bytes as text: indented if they look like JSON, else with escapes."""
    if message is None:
        return "(no value)"
    text = message.decode("utf-8", "backslashreplace")
    if text.lstrip()[:1] in ("{", "["):
        return _indented(text)
    return escape_controls(text)


def hex_lines(message: bytes) -> str:
    """Return bytes as lines of 16: position, the bytes in hex, and what is ASCII."""
    lines = []
    for start in range(0, len(message), _HEX_WIDTH):
        part = message[start : start + _HEX_WIDTH]
        shown = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in part)
        lines.append(f"{start:06x}  {part.hex(' '):<{3 * _HEX_WIDTH - 1}}  {shown}")
    return "\n".join(lines)


def escape_controls(text: str) -> str:
    """Return text with everything escaped that isn't plainly printable."""
    if text.isprintable() and not _UNSEEN.search(text):
        return text
    return "".join(
        char if char.isprintable() and not _UNSEEN.match(char) else _escaped(char)
        for char in text
    )


def in_markdown(text: object) -> str:
    """Return a value as inline code, also within a table; a long one is cut."""
    shown = escape_controls(_cut(str(text)))
    for char in "`|":  # they end the span, or a cell
        shown = shown.replace(char, f"\\x{ord(char):02x}")
    return f"`{shown or '(empty)'}`"


def in_any_medium(text: str) -> str:
    """Return text without what HTML, Markdown or a chat would interpret."""
    no_link = escape_controls(text).replace("](", "] (")
    return no_link.translate(_ELSEWHERE)


def row_as_text(row: Mapping[str, Any]) -> str:
    """Return a row for a terminal or a log: each column's name and value."""
    return escape_controls(", ".join(f"{name} {value}" for name, value in row.items()))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def unmistakable(text: str) -> str:
    """Return harmless text, quoted if a blank at an end would be invisible."""
    shown = escape_controls(text)
    return f"'{shown}'" if text != text.strip() or not text else shown


def _indented(text: str) -> str:
    """Break JSON into lines token by token, whatever its depth or its errors."""
    parts: list[str] = []
    depth = 0
    before = ""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in ("{", "["):
            parts += [_line(depth) if before in ("[", "{", ",") else "", token]
            depth += 1
        elif token in ("}", "]"):
            depth = max(depth - 1, 0)
            parts += ["" if before in ("{", "[") else _line(depth), token]
        elif token == ",":
            parts.append(token)
        elif token == ":":
            parts.append(": ")
        else:
            if before in ("{", "[", ","):
                parts.append(_line(depth))
            elif before not in (":", ""):
                parts.append(" ")
            quoted = token.startswith('"')
            parts.append(
                escape_controls(_ESCAPE.sub(_unescaped, token) if quoted else token)
            )
        before = token
    return "".join(parts).strip()


def _line(depth: int) -> str:
    # A message may nest a million deep; its lines must not grow with it.
    return "\n" + _INDENT * min(depth, 40)


def _unescaped(match: re.Match[str]) -> str:
    high, low, single = match.groups()
    if high:
        number = 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00
    elif single:
        number = int(single, 16)
    else:
        return match[0]
    char = chr(number)
    # Quotes, backslashes and unprintable characters stay as they were written.
    return char if char.isprintable() and char not in '"\\' else match[0]


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")

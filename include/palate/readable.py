"""Foreign bytes as text that a terminal may show.

Nothing is parsed and written anew: numbers keep their digits, repeated keys stay, and
what is no JSON is shown all the same. What could move the cursor, change colours or
turn the direction of the text becomes an escape.
"""

import re

_INDENT = "  "
# An escape of JSON: the pair of a character beyond 16 bits, any other \u, any other.
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u([0-9a-fA-F]{4})|\\."
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|"', re.DOTALL)


def readable(message: bytes | None) -> str:
    """Return bytes as text: indented if they look like JSON, else with escapes."""
    if message is None:
        return "(no value)"
    text = message.decode("utf-8", "backslashreplace")
    if text.lstrip()[:1] in ("{", "["):
        return _indented(text)
    return harmless(text)


def harmless(text: str) -> str:
    """Return text with everything escaped that isn't plainly printed."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _indented(text: str) -> str:
    """Break JSON into lines token by token, whatever its depth or its mistakes."""
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
            parts.append(harmless(_ESCAPE.sub(_unescaped, token) if quoted else token))
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
    # A quote, a backslash and what isn't printed stay as they were written.
    return char if char.isprintable() and char not in '"\\' else match[0]


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")

"""Bytes as a page shows them: never more than a page can carry."""

from palate.text import hex_lines, pretty

# How many bytes of a message, or of its key, are shown; and how many of its headers.
MOST = 65_536
MOST_HEADERS = 100
_SHORT = 1_000


class Octets:
    """The beginning of some bytes, as text and in hex."""

    def __init__(self, value: bytes) -> None:
        """Make both, of the first ``MOST`` bytes; the text is no longer either."""
        self.size = len(value)
        text = pretty(value[:MOST])
        self.text = text[:MOST]
        self.hex = hex_lines(value[:MOST])
        self.is_cut = self.size > MOST or len(text) > MOST


def in_short(value: bytes | str) -> str:
    """Return the beginning of a header's name or value as text."""
    beginning = value[:_SHORT]
    text = beginning if isinstance(beginning, str) else pretty(beginning)[:_SHORT]
    left = len(value) - _SHORT
    return f"{text} ... ({left:,} more)" if left > 0 else text

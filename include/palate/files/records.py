"""A file's records, one by one, in memory bounded by a record.

The file may be cut into chunks anywhere: the same records come out, or the same error
with the same place. The door and the stage that loads the records use this alike.
"""

import codecs
import json
import re
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum, auto
from math import isfinite
from typing import Any, NoReturn

from palate.files.json_faults import bad_escape, digits_of, find_fault, is_deeper
from palate.files.refusals import Place, Reason, RefusedError

# An error so near to the end of what is there may be that the rest is missing.
_NEAR_END = 16
# PostgreSQL's numeric has so many before the point.
_MOST_DIGITS = 131_072
_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_SPACE = " \t\r"
_BOM = "\ufeff"


# A file that was let in stays readable when less is let in.
_NO_LIMIT = 2**62


class Form(StrEnum):
    """How a file holds its records."""

    JSON = "json"
    NDJSON = "ndjson"


@dataclass(frozen=True)
class Limits:
    """What the door lets in (contract_intake, section 2)."""

    file_bytes: int = 512 * 2**20
    record_bytes: int = 16 * 2**20
    packed_ratio: int = 100
    depth: int = 100
    digits: int = 1_000
    records: int = 5_000_000

    def of_files(self, most: int) -> "Limits":
        """Return the same for files of at most so many bytes."""
        return replace(self, file_bytes=most)


@dataclass(frozen=True)
class Record:
    """A record: its number from 1, its bytes as they stand in the file, its value."""

    number: int
    content: bytes
    value: dict[str, Any]


class _At(Enum):
    """What may come next in a JSON file."""

    START = auto()
    FIRST = auto()
    NEXT = auto()
    AFTER = auto()
    END = auto()


class _MoreNeeded(Exception):
    """Raised where the file goes on, and what is there isn't enough."""


class _OddError(Exception):
    """Raised by what is JSON for Python, and not for the door."""


class Records:
    """The records of one file."""

    def __init__(self, form: Form, limits: Limits, *, keep: bool) -> None:
        """Begin.

        :param keep: return the records; else they are only judged and counted
        """
        self.count = 0
        self._form = form
        self._limits = limits
        self._keep = keep
        self._utf8 = codecs.getincrementaldecoder("utf-8")("strict")
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=_refuse,
            parse_int=self._number(int),
            parse_float=self._number(_exact),
        )
        # The text that is not judged yet, and what has come behind it.
        self._text = ""
        self._behind: list[str] = []
        self._behind_chars = 0
        # Where judging goes on in the text; how long the text must be to try again.
        self._at = 0
        self._wanted = 1
        # Of the text's first character: its byte in the file, its line.
        self._offset = 0
        self._line = 1
        self._state = _At.START
        self._is_last = False
        self._is_begun = False

    def feed(self, data: bytes) -> list[Record]:
        """Judge the next bytes; return the records that they complete.

        :raises RefusedError: says what is wrong, and where
        """
        waiting, _ = self._utf8.getstate()
        try:
            self._add(self._utf8.decode(data))
        except UnicodeDecodeError as error:
            self._add((waiting + data)[: error.start].decode())
            self._refuse_bytes()
        if len(self._text) - self._at + self._behind_chars < self._wanted:
            return []
        return self._judge()

    def finish(self) -> list[Record]:
        """Judge the rest; return the last records.

        :raises RefusedError: says what is wrong, and where
        """
        try:
            self._add(self._utf8.decode(b"", final=True))
        except UnicodeDecodeError:
            self._refuse_bytes()
        self._is_last = True
        found = self._judge()
        if not self._is_begun:
            self._fail(len(self._text), Reason.NOT_JSON, "there is nothing in it")
        if self._form is Form.JSON and self._state is not _At.END:
            self._fail(len(self._text), Reason.NOT_JSON, "it ends too early")
        return found

    def _refuse_bytes(self) -> NoReturn:
        """Refuse bytes that are no UTF-8, unless something is wrong before them."""
        self._judge()
        self._fail(len(self._text), Reason.NOT_JSON, "these bytes are not UTF-8")

    def _add(self, text: str) -> None:
        if not text:
            return
        is_first = not (self._offset or self._text or self._behind)
        if is_first and text.startswith(_BOM):
            what = "it begins with a byte order mark; send it without"
            self._fail(0, Reason.NOT_JSON, what)
        self._is_begun = self._is_begun or not text.isspace()
        self._behind.append(text)
        self._behind_chars += len(text)

    def _judge(self) -> list[Record]:
        self._join()
        found: list[Record] = []
        step = self._json_step if self._form is Form.JSON else self._line_step
        try:
            while True:
                record = step()
                if record is not None:
                    found.append(record)
        except _MoreNeeded:
            # Then all is tried again: twice as much, or it would be slow.
            self._wanted = 2 * (len(self._text) - self._at) or 1
        return found

    def _join(self) -> None:
        """Let go of what is judged, and take what has come behind the rest."""
        judged = self._text[: self._at]
        self._offset += _size(judged)
        self._line += judged.count("\n")
        self._text = "".join([self._text[self._at :], *self._behind])
        self._behind.clear()
        self._at = self._behind_chars = 0

    def _json_step(self) -> Record | None:
        """Go on by a mark or a record."""
        at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
        self._at = at
        if at == len(self._text):
            raise _MoreNeeded
        mark = self._text[at]
        if self._state is _At.END:
            self._refuse_rest(at)
        if self._state is _At.AFTER:
            if mark not in ",]":
                what = "a comma or the end of the list is missing"
                self._fail(at, Reason.NOT_JSON, what)
            self._state = _At.NEXT if mark == "," else _At.END
        elif self._state is _At.START and mark == "[":
            self._state = _At.FIRST
        elif self._state is _At.FIRST and mark == "]":
            self._state = _At.END
        else:
            end, record = self._record(self._text, at)
            is_alone = self._state is _At.START
            self._state = _At.END if is_alone else _At.AFTER
            self._at = end
            return record
        self._at = at + 1
        return None

    def _line_step(self) -> Record | None:
        """Go on by a line."""
        start = self._at
        end = self._text.find("\n", start)
        is_whole = end >= 0
        end = end if is_whole else len(self._text)
        self._check_size(start, end)
        if not is_whole and (not self._is_last or start == end):
            raise _MoreNeeded
        line = self._text[start:end].rstrip(_LINE_SPACE)
        blank = len(line) - len(line.lstrip(_LINE_SPACE))
        record = None
        if line:
            stop, record = self._record(line[blank:], 0, start + blank, is_whole=True)
            rest = line[blank + stop :].lstrip(_LINE_SPACE)
            if rest:
                at = start + len(line) - len(rest)
                what = "something follows the object in its line"
                self._fail(at, Reason.NOT_JSON, what, judged=1)
        self._at = min(end + 1, len(self._text))
        return record

    def _record(
        self, text: str, at: int, shift: int = 0, *, is_whole: bool = False
    ) -> tuple[int, Record | None]:
        """Judge the record that begins at a character; return where it ends, and it.

        :param shift: where the text begins in that of the file
        :param is_whole: whether all of the record is there
        """
        if self.count == self._limits.records:
            what = f"it has more than {self._limits.records:,} records"
            self._fail(at + shift, Reason.TOO_MANY_RECORDS, what)
        is_whole = is_whole or self._is_last
        value, end = self._value(text, at, shift, is_whole)
        if text[at] != "{":
            if end == len(text) and not is_whole:
                raise _MoreNeeded  # a number may go on
            what = "it is no object; each record is one, like {...}"
            self._fail(at + shift, Reason.NOT_AN_OBJECT, what)
        self._check_size(at + shift, end + shift)
        is_odd = bad_escape(text, at, end) is not None
        if is_odd or is_deeper(text, at, end, self._limits.depth):
            self._fail_odd(text[at:end], at + shift)
        self.count += 1
        if not self._keep:
            return end, None
        return end, Record(self.count, text[at:end].encode(), value)

    def _value(self, text: str, at: int, shift: int, is_whole: bool) -> tuple[Any, int]:
        try:
            return self._json.raw_decode(text, at)
        except json.JSONDecodeError as error:
            is_cut = error.msg.startswith("Unterminated string")
            self._check_size(at + shift, (len(text) if is_cut else error.pos) + shift)
            if not is_whole and (is_cut or error.pos > len(text) - _NEAR_END):
                raise _MoreNeeded from None
            what = error.msg[0].lower() + error.msg[1:]
            self._fail(error.pos + shift, Reason.NOT_JSON, what)
        except (_OddError, RecursionError):
            self._fail_odd(text[at:], at + shift)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | None:
        """Make an object; at the door only its keys matter."""
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _OddError
        return found if self._keep else None

    def _number(self, make: Any) -> Any:
        limit, keep = self._limits.digits, self._keep

        def number(text: str) -> Any:
            if len(text) > limit and digits_of(text) > limit:
                raise _OddError
            return make(text) if keep else None

        return number

    def _check_size(self, start: int, end: int) -> None:
        """Refuse a record that has more bytes than one may."""
        limit = self._limits.record_bytes
        if end - start > limit // 4 and _size(self._text[start:end]) > limit:
            what = f"it has more than {limit:,} bytes"
            self._fail(start, Reason.RECORD_TOO_LARGE, what)

    def _refuse_rest(self, at: int) -> NoReturn:
        what = "something follows the document"
        if self._text[at] == "{":
            what += "; a file with an object per line is sent as application/x-ndjson"
        self._fail(at, Reason.NOT_JSON, what)

    def _fail_odd(self, text: str, at: int) -> NoReturn:
        fault = find_fault(text, self._limits.depth, self._limits.digits)
        if fault is None:
            message = "The slow way finds nothing where the fast way does."
            raise AssertionError(message)
        self._check_size(at, at + fault.at)
        self._fail(at + fault.at, fault.reason, fault.detail)

    def _fail(self, at: int, reason: Reason, what: str, judged: int = 0) -> NoReturn:
        """Refuse the file, for what is at a character of the text.

        :param judged: how many of the records counted are the one it is about
        """
        place = Place(
            self.count + 1 - judged,
            self._offset + _size(self._text[:at]),
            self._line + self._text.count("\n", 0, at)
            if self._form is Form.NDJSON
            else None,
        )
        raise RefusedError(reason, f"At {place}: {what}.", place)


def _refuse(_: str) -> NoReturn:
    raise _OddError


def _exact(text: str) -> float | Decimal:
    """Return a number; one that is too large for a float as it is written.

    Beyond what any table has room for it is cut: a judge would write out its digits.
    """
    found = float(text)
    if isfinite(found):
        return found
    largest = Decimal((int(found < 0), (1,), _MOST_DIGITS))
    try:
        exact = Decimal(text)
    except InvalidOperation:  # its power of ten alone is too large
        return largest
    return exact if exact.adjusted() <= _MOST_DIGITS else largest


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())

"""How every command prints and ends: one console, one kind of table, exit codes."""

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from palate.engine import Outcome
from palate.errors import PalateError
from palate.text import escape_controls

# Printed text may come from anybody: no markup, no emoji codes, no guessed colours.
out = Console(highlight=False, markup=False, emoji=False)
errors = Console(stderr=True, highlight=False, markup=False, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")]
DecidedBy = Annotated[str | None, typer.Option("--by", help="Who decides it.")]

# A column wider than a time is folded where space is short, but not below this. A
# column's head is broken between words before that.
_WHOLE, _FOLDED = 19, 12
_BETWEEN_CELLS = 3


class InertFormatter(logging.Formatter):
    """A formatter whose output a terminal can't act on, whoever wrote the text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines, with what isn't plainly printable escaped."""
        return "\n".join(map(escape_controls, super().format(record).split("\n")))


def print_json(value: Any) -> None:
    """Print one line of JSON; times by ISO 8601, other types as text.

    Only ASCII: what a terminal would act on is escaped.
    """
    print(json.dumps(value, default=_as_json))


def print_outcome(outcome: Outcome, as_json: bool) -> None:
    """Print what a stage did."""
    if as_json:
        print_json(outcome.as_dict())
    else:
        out.print(escape_controls(str(outcome)))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as a table, or one below the other where it would not be readable.

    Nothing is cut off: logs and runs differ by the ends of their names.
    """
    cells = [[escape_controls(cell) for cell in row] for row in rows]
    titles = [_title(head) for head in heads]
    widths = [
        max(
            len(title) for title in (*titles[n].split("\n"), *(row[n] for row in cells))
        )
        for n in range(len(heads))
    ]
    least = sum(width if width <= _WHOLE else _FOLDED for width in widths)
    if least + _BETWEEN_CELLS * len(heads) - 1 > out.width:
        for row in cells:
            _print_block(heads, row)
        return
    table = Table(
        *(
            Column(title, overflow="fold", no_wrap=width <= _WHOLE)
            for title, width in zip(titles, widths, strict=True)
        ),
        pad_edge=False,
    )
    for row in cells:
        table.add_row(*[Text(cell) for cell in row])
    out.print(table)


def _as_json(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _title(head: str) -> str:
    """Break the head of a column between its words, to save space."""
    if len(head) <= _FOLDED:
        return head
    return head.replace("_", "_\n").replace(" ", "\n")


def _print_block(heads: Sequence[str], row: Sequence[str]) -> None:
    out.print(Text(row[0], overflow="fold"), style="bold")
    for head, cell in zip(heads[1:], row[1:], strict=True):
        line = f"  {head}: {cell}"
        if len(line) > out.width:
            out.print(Text(f"  {head}:", overflow="fold"))
            out.print(Padding.indent(Text(cell, overflow="fold"), 4))
        else:
            out.print(Text(line))


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Exit with a sentence and the error's own exit code instead of a traceback."""
    try:
        yield
    except PalateError as error:
        kind = type(error).__name__.removesuffix("Error")
        errors.print(f"{kind}: ", style="red", end="")
        errors.print("\n".join(map(escape_controls, str(error).split("\n"))))
        sys.exit(error.exit_code)

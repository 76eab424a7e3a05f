"""Lists as CSV files, which a spreadsheet opens without running anything in them."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from fastapi import Response

from palate.text import escape_controls

# A spreadsheet takes a text that begins so for a formula; some forgive a blank before
# it, or take the wide signs of East Asian keyboards for these.
_FORMULA = "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
_FORMULA += "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"


def csv_file(
    name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Response:
    """Return a CSV file for download, in UTF-8 with the mark that spreadsheets need.

    Text is made inert: what can't be seen is escaped, and what a spreadsheet would take
    for a formula has an apostrophe before it. Numbers stay numbers; None is empty.

    :param name: the file's name, not from data
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heads)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return Response(
        text.getvalue().encode("utf-8-sig"),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _cell(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        return value
    shown = escape_controls(value)
    is_formula = shown.lstrip().startswith(tuple(_FORMULA))
    return f"'{shown}" if is_formula else shown

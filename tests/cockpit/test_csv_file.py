"""A CSV file is a list, and nothing that a spreadsheet would run."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from palate_cockpit.csv_file import csv_file


def _read(value: object) -> str:
    answer = csv_file("list.csv", ["name"], [[value]])
    (_, (cell,)) = csv.reader(io.StringIO(bytes(answer.body).decode("utf-8-sig")))
    return cell


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://e.example","x")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1)",
        " =1+1",
        "\N{FULLWIDTH EQUALS SIGN}1+1",
    ],
)
def test_formula_is_text(text: str) -> None:
    assert _read(text) == f"'{text}"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("\N{NO-BREAK SPACE}=1", r"\xa0=1"),
        ("\t=1+1", r"\t=1+1"),
        ("\r\n=1", r"\r\n=1"),
        ("a\x00\x1b[31m\u202e", r"a\x00\x1b[31m\u202e"),
        ("\ud800", r"\ud800"),
        ('Суп, "острый"', 'Суп, "острый"'),
    ],
)
def test_what_is_not_seen_is_escaped(text: str, cell: str) -> None:
    assert _read(text) == cell


def test_numbers_and_times_stay_what_they_are() -> None:
    assert [_read(value) for value in (-3, Decimal("-1.50"), None)] == [
        *["-3", "-1.50", ""]
    ]
    assert _read(datetime(2026, 1, 31, tzinfo=UTC)) == "2026-01-31T00:00:00+00:00"


def test_file_is_for_download() -> None:
    headers = csv_file("list.csv", ["name"], []).headers
    assert headers["Content-Disposition"] == 'attachment; filename="list.csv"'
    assert headers["Content-Type"] == "text/csv; charset=utf-8"

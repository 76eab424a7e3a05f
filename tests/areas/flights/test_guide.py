"""docs/flights.md: each query runs and finds something, each test is there."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from palate.names import DOCS_FOLDER
from tests.areas.flights.airline import Airline
from tests.areas.flights.changes import Stream

GUIDE = (DOCS_FOLDER / "flights.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)


def test_each_query_finds_the_booking(airline: Airline) -> None:
    stream = Stream()
    for table in ("airports", "bookings", "tickets", "flights"):
        stream.add(table, "c", 100)
    back = {"departure_airport": "LED", "arrival_airport": "SVO"}
    stream.add("flights", "c", 101, flight_id=2, **back)
    for number in (1, 2):
        stream.add("ticket_flights", "c", 110, flight_id=number)
    stream.add("flights", "u", 120, status="Delayed")
    stream.add("boarding_passes", "c", 130)
    wrong = stream.add("flights", "u", 140, status="Late").record()
    stream.records[-1] = replace(wrong, value=b"{}")
    airline.take(stream.records)

    found = {query: airline.rows(query) for query in QUERIES}
    assert [query for query, rows in found.items() if not rows] == []
    assert len(QUERIES) == 8
    (row,) = found[QUERIES[-1]]
    assert row[2:5] == (2, 0, 400)


@pytest.mark.parametrize("number", range(1, 28))
def test_each_point_names_its_tests(number: int) -> None:
    (named,) = re.findall(rf"^\| {number} \| (.*) \|$", GUIDE, re.MULTILINE)
    folders = (Path(__file__).parent, Path(__file__).parents[2] / "flights")
    tests = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in folders
        for path in folder.glob("test_*.py")
    )
    for name in re.findall(r"`(\w+)`", named):
        assert name.startswith(f"test_point_{number:02d}_")
        assert f"def {name}(" in tests

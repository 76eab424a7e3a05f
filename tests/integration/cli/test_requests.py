"""What a form or a command asks for: taken as meant, or refused with a reason."""

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection

from palate import requests
from palate.decisions import check_fields
from palate.errors import RequestError
from palate.landing.drain import Limits
from palate.settings import Settings
from palate.sources import load_reasons
from palate.times import moment
from tests.corpus.case import BROKER_DT
from tests.food import FOOD
from tests.integration.staged import stage_messages
from tests.model.history import Message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        (" 2026-01-02 03:04:05.6Z ", datetime(2026, 1, 2, 3, 4, 5, 600_000, UTC)),
        ("2026-01-02T01:00:00+03:00", datetime(2026, 1, 1, 22, tzinfo=UTC)),
        ("1970-01-01", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_time_is_iso_8601_and_in_utc_without_a_zone(
    text: str, expected: datetime
) -> None:
    assert moment(text, "--from") == expected
    assert moment(text, "--from").tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-45",
        "2026-02-30",
        pytest.param("20260102", id="may be a number"),
        pytest.param("2026-W01-1", id="a week"),
        pytest.param("2026-001", id="a day of the year, or a month"),
        pytest.param("2026-01", id="a month"),
        pytest.param("01/02/2026", id="whose order"),
        pytest.param("2026-01-02T03", id="an hour, or a part of something"),
        pytest.param("2026-01-02T03:04+03", id="minutes, or a zone"),
        pytest.param("2026-01-02+03:00", id="a zone without a time"),
        pytest.param("2026-01-02T24:00", id="which day"),
        pytest.param("1767312000", id="seconds"),
        pytest.param("\uff12026-01-02", id="other digits"),
        pytest.param("0001-01-01T00:00+14:00", id="before the calendar"),
        pytest.param("1969-12-31", id="before any message"),
        pytest.param("2026-01-02\n2026-01-03", id="two"),
    ],
)
def test_time_that_may_be_mistaken_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(RequestError, match=r"^--from is "):
        moment(text, "--from")


def test_unknown_fields_are_named_with_the_known_ones() -> None:
    check_fields(["a"], ["a", "b"])
    with pytest.raises(RequestError, match=r"no field 'x', 'y'\. It has: a, b\."):
        check_fields(["a", "x", "y"], ["a", "b"])


def test_limits_are_those_of_the_form(warehouse: Settings) -> None:
    topic = next(iter(warehouse.palate_topics))
    form = {"topics": [topic], "partitions": "0, 2", "messages": 5, "minutes": 0.5}

    assert requests.limits(form, warehouse, FOOD) == Limits((topic,), (0, 2), 5, 30)
    with pytest.raises(RequestError, match=r"There is no topic x\. There are: "):
        requests.limits(form | {"topics": ["x"]}, warehouse, FOOD)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"reasons": ["not_json", "x"]}, "no reason x. There are: not_json, "),
        ({"topic": "x"}, "no topic x. There are: "),
        ({"partition": 7}, "no partition 7. There are: 2."),
        ({"topic": "former", "partition": 0}, "no partition 0. There are: 2."),
        ({"epoch": 2}, "no epoch 2. There are: 1."),
        ({"partition": 2**31}, "no partition 2147483648"),
        ({"offset": "9..3"}, "'9..3' is no offset"),
        ({"offset": "1, x"}, "'x' is no offset"),
        ({"offset": str(2**63)}, "is no offset"),
        ({"start": "yesterday"}, "From is 'yesterday'"),
        ({"start": "2023-08-13", "end": "2023-08-13T00:00Z"}, "is not before To"),
    ],
)
def test_selection_that_cant_be_meant_is_refused(
    warehouse: Settings, connection: Connection, asked: dict[str, Any], sentence: str
) -> None:
    stage_messages(connection, [Message("former", 1, 2, 0, BROKER_DT, b"no order")])

    with pytest.raises(RequestError) as caught:
        requests.selection(warehouse, **asked)

    assert sentence in str(caught.value)


def test_selection_takes_single_offsets_and_ranges(warehouse: Settings) -> None:
    assert requests.selection(warehouse, offset=160).offsets == ((160, 160),)
    found = requests.selection(warehouse, offset=" 160,170 .. 180 ")
    assert found.offsets == ((160, 160), (170, 180))
    assert requests.selection(warehouse, offset="").offsets == ()


def test_selection_knows_all_reasons(warehouse: Settings) -> None:
    reasons = load_reasons()
    assert {"not_an_order", "not_json"} < set(reasons)
    assert requests.selection(warehouse, reasons=reasons).reasons == reasons


def test_history_is_a_week_unless_it_says_more() -> None:
    end = datetime(2026, 1, 9, tzinfo=UTC)
    assert requests.history(None, end, "auto").start == datetime(2026, 1, 2, tzinfo=UTC)
    with pytest.raises(RequestError, match=r"From, .* is not before To, 2026-01-01"):
        requests.history("2026-01-02", "2026-01-01", "auto")

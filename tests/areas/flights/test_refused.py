"""Point 15: each rule about messages, broken alone and beside good ones."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from palate.checks.run import run_checks
from palate.landing import replays
from palate.landing.refusals import Selection
from tests.areas.flights.airline import FLIGHTS, Airline
from tests.areas.flights.changes import PLACEHOLDER, Record, Stream
from tests.integration.staged import caller

Doc = dict[str, Any]
Break = Callable[[Doc], Any]


def _set(*path: str, to: Any) -> Break:
    def change(doc: Doc) -> None:
        for name in path[:-1]:
            doc = doc[name]
        doc[path[-1]] = to

    return change


def _without(*path: str) -> Break:
    def change(doc: Doc) -> None:
        for name in path[:-1]:
            doc = doc[name]
        del doc[path[-1]]

    return change


def _after(name: str, to: Any) -> Break:
    return _set("after", name, to=to)


# (table, op, what is done to the value, the reason)
VALUES: dict[str, tuple[str, str, Break, str]] = {
    "op of another kind": ("tickets", "c", _set("op", to="m"), "not_a_change"),
    "no op": ("tickets", "c", _without("op"), "not_a_change"),
    "no source": ("tickets", "c", _without("source"), "not_a_change"),
    "another connector": (
        "tickets",
        "c",
        _set("source", "connector", to="mysql"),
        "not_a_change",
    ),
    "another schema": (
        "tickets",
        "c",
        _set("source", "schema", to="public"),
        "other_source",
    ),
    "another table": (
        "tickets",
        "c",
        _set("source", "table", to="flights"),
        "other_source",
    ),
    "another database": (
        "tickets",
        "c",
        _set("source", "name", to="trains"),
        "other_source",
    ),
    "change without lsn": (
        "tickets",
        "u",
        _set("source", "lsn", to=None),
        "wrong_shape",
    ),
    "lsn that is a text": (
        "tickets",
        "u",
        _set("source", "lsn", to="1"),
        "wrong_shape",
    ),
    "lsn beyond bigint": (
        "tickets",
        "u",
        _set("source", "lsn", to=2**63),
        "value_out_of_range",
    ),
    "read without a time": ("tickets", "r", _without("source", "ts_us"), "wrong_shape"),
    "time of a year 20000": (
        "tickets",
        "c",
        _set("source", "ts_us", to=568_971_820_800_000_000),
        "value_out_of_range",
    ),
    "no after": ("tickets", "c", _set("after", to=None), "wrong_shape"),
    "other key in the row": ("tickets", "c", _after("ticket_no", "2"), "wrong_shape"),
    "key missing in the row": (
        "tickets",
        "c",
        _without("after", "ticket_no"),
        "wrong_shape",
    ),
    "other key before": (
        "tickets",
        "d",
        _set("before", "ticket_no", to="2"),
        "wrong_shape",
    ),
    "column missing": ("tickets", "c", _without("after", "book_ref"), "wrong_shape"),
    "NULL where none is allowed": (
        "tickets",
        "c",
        _after("book_ref", None),
        "wrong_shape",
    ),
    "number for a text": ("tickets", "c", _after("passenger_name", 1), "wrong_shape"),
    "object for a JSON text": (
        "tickets",
        "c",
        _after("contact_data", {}),
        "wrong_shape",
    ),
    "text that is no JSON": (
        "tickets",
        "c",
        _after("contact_data", "{"),
        "wrong_shape",
    ),
    "JSON with NUL": (
        "tickets",
        "c",
        _after("contact_data", '"\\u0000"'),
        "wrong_shape",
    ),
    "text for an integer": ("aircrafts", "c", _after("range", "1"), "wrong_shape"),
    "fraction for an integer": ("aircrafts", "c", _after("range", 1.5), "wrong_shape"),
    "integer beyond int4": (
        "aircrafts",
        "c",
        _after("range", 2**31),
        "value_out_of_range",
    ),
    "placeholder for an integer": (
        "aircrafts",
        "u",
        _after("range", PLACEHOLDER),
        "wrong_shape",
    ),
    "text that is no number": (
        "bookings",
        "c",
        _after("total_amount", "x"),
        "wrong_shape",
    ),
    "boolean for a number": (
        "bookings",
        "c",
        _after("total_amount", True),
        "wrong_shape",
    ),
    "nine digits": (
        "bookings",
        "c",
        _after("total_amount", "100000000.00"),
        "value_out_of_range",
    ),
    "three decimals": (
        "bookings",
        "c",
        _after("total_amount", "1.001"),
        "value_out_of_range",
    ),
    "NaN": ("bookings", "c", _after("total_amount", "NAN"), "value_out_of_range"),
    "a huge exponent": (
        "bookings",
        "c",
        _after("total_amount", "1e99999"),
        "value_out_of_range",
    ),
    "time without an offset": (
        "bookings",
        "c",
        _after("book_date", "2026-03-01T07:15:00"),
        "wrong_shape",
    ),
    "time in seconds": (
        "bookings",
        "c",
        _after("book_date", 1_772_323_199),
        "wrong_shape",
    ),
    "seven decimals of a second": (
        "bookings",
        "c",
        _after("book_date", "2026-03-01T07:15:00.1234567Z"),
        "wrong_shape",
    ),
    "infinity": (
        "bookings",
        "c",
        _after("book_date", "-infinity"),
        "value_out_of_range",
    ),
    "year 294247": (
        "bookings",
        "c",
        _after("book_date", "+294247-01-10T04:00:25.2Z"),
        "value_out_of_range",
    ),
    "year 0": (
        "bookings",
        "c",
        _after("book_date", "0000-01-10T04:00:25Z"),
        "value_out_of_range",
    ),
    "30 February": (
        "bookings",
        "c",
        _after("book_date", "2026-02-30T04:00:25Z"),
        "value_out_of_range",
    ),
    "29 February of 2100": (
        "bookings",
        "c",
        _after("book_date", "2100-02-29T04:00:25Z"),
        "value_out_of_range",
    ),
    "25 o'clock": (
        "bookings",
        "c",
        _after("book_date", "2026-02-03T25:00:25Z"),
        "value_out_of_range",
    ),
    "point without y": (
        "airports",
        "c",
        _without("after", "coordinates", "y"),
        "wrong_shape",
    ),
    "point that is a text": (
        "airports",
        "c",
        _after("coordinates", "(1,2)"),
        "wrong_shape",
    ),
    "coordinate without end": (
        "airports",
        "c",
        _set("after", "coordinates", "x", to="Infinity"),
        "value_out_of_range",
    ),
    "text of 1001 characters": (
        "airports",
        "c",
        _after("timezone", "x" * 1001),
        "value_out_of_range",
    ),
    "text longer than its column": (
        "tickets",
        "c",
        _after("passenger_id", "x" * 21),
        "value_out_of_range",
    ),
    "name of 100001 characters": (
        "tickets",
        "c",
        _after("passenger_name", "x" * 100_001),
        "value_out_of_range",
    ),
    "commit after tomorrow": (
        "tickets",
        "c",
        lambda doc: doc["source"].update(ts_us=doc["source"]["ts_us"] + 86_402_000_000),
        "version_in_future",
    ),
}
GOOD: dict[str, tuple[str, str, Break]] = {
    "integer by value": ("aircrafts", "c", _after("range", 5700.0)),
    "number with an exponent": ("bookings", "c", _after("total_amount", 1e2)),
    "time with an offset": (
        "bookings",
        "c",
        _after("book_date", "2026-03-01T10:15:00.5+03:00"),
    ),
    "29 February of 2024": ("bookings", "c", _after("book_date", "2024-02-29T00:00Z")),
    "no optional column": ("tickets", "c", _without("after", "contact_data")),
    "name of 100000 characters": (
        "tickets",
        "c",
        _after("passenger_name", "x" * 100_000),
    ),
    "blanks after a code": ("tickets", "c", _after("book_ref", "AB    ")),
    "incremental read": ("tickets", "r", _set("source", "lsn", to=None)),
    "commit within a day": (
        "tickets",
        "c",
        lambda doc: doc["source"].update(ts_us=doc["source"]["ts_us"] + 86_401_000_000),
    ),
    "nothing but the key before": ("tickets", "d", _set("before", to={})),
    "no before": ("tickets", "d", _set("before", to=None)),
}


def _broken(table: str, op: str, change: Break) -> Record:
    stream = Stream()
    record = stream.add(table, op, 100).record()
    doc = json.loads(record.value or b"")
    change(doc)
    return replace(record, value=json.dumps(doc).encode())


def _with_key(key: bytes | None, table: str = "tickets", op: str = "c") -> Record:
    return replace(Stream().add(table, op, 100).record(), key=key)


KEYS: dict[str, tuple[Record, str | None]] = {
    "value that is no JSON": (
        replace(_with_key(b"{}"), value=b"{"), "not_json",
    ),
    "key that is no JSON": (_with_key(b"\xff"), "not_json"),
    "no value and no key": (replace(_with_key(None), value=None), "not_json"),
    "list": (replace(_with_key(b"{}"), value=b"[]"), "not_a_change"),
    "list of two words": (
        replace(_with_key(b"{}"), value=b'["schema", "payload"]'), "not_a_change",
    ),
    "payload that is null": (
        replace(_with_key(b"{}"), value=b'{"schema": null, "payload": null}'),
        "not_a_change",
    ),
    "key that is a text": (_with_key(b'"1"'), "wrong_shape"),
    "key without its column": (_with_key(b"{}"), "wrong_shape"),
    "key of another type": (_with_key(b'{"ticket_no": 1}'), "wrong_shape"),
    "key longer than its column": (
        _with_key(b'{"ticket_no": "01234567890123"}'), "wrong_shape",
    ),
    "no key": (_with_key(None), None),
    "no key of a delete": (_with_key(None, op="d"), None),
    "key with blanks": (_with_key(b'{"ticket_no": "0005432000001  "}'), None),
    "tombstone": (replace(_with_key(b"{}"), value=None), None),
    "tombstone with any key": (replace(_with_key(b"\xff"), value=None), None),
}  # fmt: skip


def test_point_15_each_broken_rule_has_its_reason(airline: Airline) -> None:
    """All at once, each beside a good message of its topic."""
    cases = {
        name: (_broken(table, op, change), reason)
        for name, (table, op, change, reason) in VALUES.items()
    }
    cases |= {name: (_broken(*case), None) for name, case in GOOD.items()}
    cases |= KEYS  # type: ignore[assignment]
    stream, records, expected = Stream(), [], {}
    for number, (name, (record, reason)) in enumerate(cases.items()):
        # Each case in a partition of its own; around it are good ones.
        table = record.topic.rpartition(".")[2]
        good = stream.add(table, "r", 5, partition=number)
        records += [replace(good.record(), partition=number)]
        records += [replace(record, partition=number, offset=1)]
        records += [replace(good.record(), partition=number, offset=2)]
        expected[name] = ((record.topic, 0, number, 1), reason)
    airline.take(records)

    refused = airline.refused()
    assert {
        name: (refused.get(position), reason)
        for name, (position, reason) in expected.items()
        if refused.get(position) != reason
    } == {}
    assert len(refused) == sum(reason is not None for _, reason in expected.values())
    assert airline.rows(
        "SELECT count(*) FROM stg.rejected_messages WHERE detail = ''"
    ) == [(0,)]
    reads = " UNION ALL ".join(
        f"SELECT count(*) FROM dds.s_{noun} WHERE lsn = 5"
        for noun in ("aircraft", "airport", "booking", "ticket")
    )
    assert sum(number for (number,) in airline.rows(reads)) == 2 * len(cases)


def test_point_15_refused_change_leaves_the_row_and_is_told(airline: Airline) -> None:
    stream = Stream()
    stream.add("aircrafts", "c", 100, range=1)
    stream.add("aircrafts", "u", 110, range="far")
    stream.add("aircrafts", "u", 110, aircraft_code="SU9", range="far")
    stream.add("aircrafts", "u", 120, aircraft_code="SU9", range=2)
    airline.take(stream.records)
    assert airline.living("aircrafts")[("320",)]["range"] == 1
    assert _waiting(airline) == [{"aircraft_code": "320"}]

    begin = len(stream.records)
    stream.add("aircrafts", "u", 130, range=3)
    airline.take(stream.records[begin:])
    assert _waiting(airline) == []
    assert airline.living("aircrafts")[("320",)]["range"] == 3


def test_point_15_replay_after_a_repair_loads_what_was_refused(
    airline: Airline, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream()
    stream.add("aircrafts", "c", 100, range=1)
    change = stream.add("aircrafts", "u", 110, range=2)
    late = change.commit_dt - timedelta(days=1, seconds=1)
    airline.stage([stream.records[0], replace(stream.records[1], broker_dt=late)])
    airline.load()
    assert [*airline.refused().values()] == ["version_in_future"]

    # As if the clock of the broker had been repaired.
    airline.conn.execute(
        "UPDATE stg.order_events SET broker_dt = now() WHERE kafka_offset = 1"
    )
    outcome = replays.run(airline.settings, caller("replay"), Selection())
    assert outcome.counts["queued"] == 1
    airline.load("replayed")
    assert airline.refused() == {}
    airline.assert_true(stream.changes)
    assert FLIGHTS.replays == "flights/replays"


def _waiting(airline: Airline) -> list[Any]:
    (found,) = run_checks(
        airline.settings, caller("checks"), ["flights/refused_changes_are_overtaken"]
    ).results
    return [row["key"] for row in found.examples]

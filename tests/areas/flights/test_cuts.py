"""Point 18: however it is cut, repeated, ordered or killed, one result."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from palate.names import SQL_FOLDER
from palate.vault import stage as vault
from tests.areas.flights.airline import Airline
from tests.areas.flights.changes import KEYS, PLACEHOLDER, ROWS, Record, Stream
from tests.integration.emptied import Emptied
from tests.warehouses import environment_of

STAGES = ("flights/vault: ", "mart:presentation: ")


@pytest.fixture(autouse=True)
def loaders_for_small_batches() -> Iterator[None]:
    """Let a few messages be loaded side by side, as only a backlog is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault, "_LEAST_PER_LOADER", 1)
        yield


_NUMBERS = st.integers(1, 3)
_TEXT = st.sampled_from(["a", "b", PLACEHOLDER])
_DOC = st.sampled_from(['{"en": "a", "ru": "b"}', '"plain"', "{}", PLACEHOLDER])
# What may differ in the rows of each table.
_COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "aircrafts": {"model": _DOC, "range": _NUMBERS},
    "airports": {
        "airport_code": st.sampled_from(["SVO", "LED"]),
        "airport_name": _DOC,
        "timezone": _TEXT,
    },
    "seats": {"seat_no": st.sampled_from(["1A", "1B"]), "fare_conditions": _TEXT},
    "bookings": {
        "book_ref": st.sampled_from(["AAAAAA", "BBBBBB"]),
        "book_date": st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]),
    },
    "tickets": {
        "ticket_no": st.sampled_from(["1", "2", "3"]),
        "book_ref": st.sampled_from(["AAAAAA", "BBBBBB", PLACEHOLDER]),
        "passenger_id": st.sampled_from(["p", "q", PLACEHOLDER]),
        "passenger_name": _TEXT,
        "contact_data": st.sampled_from([None, "{}", PLACEHOLDER]),
    },
    "flights": {
        "flight_id": _NUMBERS,
        "scheduled_departure": st.sampled_from(
            ["2026-03-10T06:35:00Z", "2026-03-11T06:35:00Z"]
        ),
        "departure_airport": st.sampled_from(["SVO", "LED", PLACEHOLDER]),
        "arrival_airport": st.sampled_from(["SVO", "LED", "KZN"]),
        "status": st.sampled_from(["Arrived", "Cancelled", "Scheduled", PLACEHOLDER]),
        "aircraft_code": st.sampled_from(["320", "SU9"]),
    },
    "ticket_flights": {
        "ticket_no": st.sampled_from(["1", "2", "3"]),
        "flight_id": _NUMBERS,
        "amount": st.sampled_from(["100.00", "7.50"]),
    },
    "boarding_passes": {
        "ticket_no": st.sampled_from(["1", "2", "3"]),
        "flight_id": _NUMBERS,
        "boarding_no": _NUMBERS,
    },
}


@st.composite
def streams(draw: st.DrawFn, most: int = 30) -> Stream:
    """Draw changes in any order: also those that no database would send."""
    stream = Stream()
    tables = draw(
        st.lists(st.sampled_from(sorted(_COLUMNS)), min_size=1, max_size=3, unique=True)
        | st.just(sorted(_COLUMNS))
    )
    for _ in range(draw(st.integers(1, most))):
        sent = [change for change in stream.changes if change.op != "x"]
        if sent and draw(st.integers(0, 4)) == 0:
            stream.again(draw(st.sampled_from(sent)))
            continue
        table = draw(st.sampled_from(tables))
        if draw(st.integers(0, 4)) == 0:
            _rename(draw, stream, table)
            continue
        op = draw(st.sampled_from("rrcuuudtx" if draw(st.booleans()) else "rcuudx"))
        columns = _COLUMNS[table]
        values = {} if op == "t" else {n: draw(v) for n, v in columns.items()}
        if op == "x":
            place = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 9))
            stream.compared(
                table,
                draw(st.integers(1, 12)) * 10,
                draw(place),
                second=draw(st.integers(0, 20)),
                is_gone=draw(st.booleans()),
                **values,
            )
            continue
        # Changes of one row with one lsn and op are one, so they must say the same.
        lsn = draw(st.integers(1, 12)) * 10
        stream.add(
            table,
            op,
            None if op == "r" and draw(st.booleans()) else lsn,
            second=draw(st.integers(0, 20)),
            partition=draw(st.integers(0, 1)),
            epoch=draw(st.integers(0, 1)),
            **values,
        )
    return stream


def _rename(draw: st.DrawFn, stream: Stream, table: str) -> None:
    """Let a row get another key, or what says so but isn't one change."""
    columns = _COLUMNS[table]
    old, new = ({n: draw(v) for n, v in columns.items()} for _ in range(2))
    lsn = draw(st.integers(1, 12)) * 10
    for op, row, other in (("d", old, new), ("c", new, old)):
        stream.add(
            table,
            op,
            lsn,
            second=draw(st.integers(0, 20)),
            partition=draw(st.integers(0, 1)),
            epoch=draw(st.integers(0, 1)),
            renamed={n: (ROWS[table] | other)[n] for n in KEYS[table]},
            **row,
        )


@settings(max_examples=15)
@given(stream=streams(), seed=st.integers(0, 2**32 - 1))
def test_point_18_any_changes_in_any_batches(
    emptied_airline: Emptied, stream: Stream, seed: int
) -> None:
    emptied_airline.empty()
    airline = Airline(emptied_airline.settings, emptied_airline.conn)
    note(str(stream.changes))
    for number, batch in enumerate(_cut(stream.records, random.Random(seed))):
        airline.take(batch, run_id=str(number // 2))  # every other one is a repeat
    airline.load()
    assert airline.refused() == {}
    airline.assert_true(stream.changes)


def _cut(
    records: list[Record], chance: random.Random, most: int = 3
) -> list[list[Record]]:
    """Cut records into batches; each partition keeps its order, no two are in step."""
    logs: dict[tuple[str, int, int], list[Record]] = {}
    for record in records:
        logs.setdefault((record.topic, record.epoch, record.partition), []).append(
            record
        )
    found = []
    while logs:
        batch = []
        for log in chance.sample(sorted(logs), chance.randint(1, len(logs))):
            number = chance.randint(1, len(logs[log]))
            batch += logs[log][:number]
            logs[log] = logs[log][number:]
            if not logs[log]:
                del logs[log]
        found.append(batch)
    # Few are enough, and quick: the last ones come together.
    return [*found[:most], [one for batch in found[most:] for one in batch]]


def _season(seed: int) -> Stream:
    """Return changes of all tables, some of them twice, some in another epoch."""
    chance = random.Random(seed)
    stream = Stream()
    for number in range(160):
        sent = [change for change in stream.changes if change.op != "x"]
        if sent and number % 7 == 0:
            stream.again(chance.choice(sent))
            continue
        table = chance.choice(sorted(_COLUMNS))
        values = {
            name: chance.choice(_choices(table, name)) for name in _COLUMNS[table]
        }
        if number % 11 == 0:
            stream.compared(
                table, chance.randint(1, 60) * 10,
                (0, chance.randint(0, 1), chance.randint(0, 20)),
                second=number, is_gone=chance.random() < 0.3, **values,
            )  # fmt: skip
            continue
        op = chance.choice("rcuuuud" + "t" * (number % 40 == 0))
        stream.add(
            table, op, chance.randint(1, 60) * 10, second=number,
            partition=chance.randint(0, 1), **values,
        )  # fmt: skip
    return stream


def _choices(table: str, name: str) -> list[Any]:
    known: dict[str, list[Any]] = {
        "range": [1, 2, 3], "boarding_no": [1, 2], "flight_id": [1, 2, 3],
        "ticket_no": ["1", "2", "3"], "seat_no": ["1A", "1B"],
        "airport_code": ["SVO", "LED"], "departure_airport": ["SVO", "LED"],
        "arrival_airport": ["SVO", "LED", "KZN"], "aircraft_code": ["320", "SU9"],
        "status": ["Arrived", "Cancelled", "Scheduled"], "amount": ["1.00", "7.50"],
        "passenger_id": ["p", "q"], "book_ref": ["AAAAAA", "BBBBBB"],
        "book_date": ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],
        "scheduled_departure": ["2026-03-10T06:35:00Z", "2026-03-11T06:35:00Z"],
        "contact_data": [None, "{}", PLACEHOLDER],
        "model": ['{"en": "a"}', PLACEHOLDER], "airport_name": ['{"en": "a"}', '"b"'],
    }  # fmt: skip
    return known.get(name, ["a", "b", PLACEHOLDER])


def test_point_18_twelve_cuts_have_one_checksum(emptied_airline: Emptied) -> None:
    airline = Airline(emptied_airline.settings, emptied_airline.conn)
    stream = _season(1)
    found = set()
    for seed in range(12):
        emptied_airline.empty()
        for number, batch in enumerate(_cut(stream.records, random.Random(seed))):
            airline.take(batch, run_id=f"{seed} {number}")
        if seed == 0:
            airline.assert_true(stream.changes)
        found.add(airline.checksum())
    assert len(found) == 1


@pytest.mark.timeout(600)
def test_point_18_killed_in_each_stage(airline: Airline, tmp_path: Path) -> None:
    stream = _season(2)
    batches = _cut(stream.records, random.Random(5), most=100)[:-1]
    for record in stream.records:
        assert record.value is not None or record.key is not None
    trace = tmp_path / "points"
    airline.stage(batches[0])
    assert _run(airline, trace).returncode == 0
    points = _chosen(trace)
    assert len(points) > 4
    for batch, point in zip(_grouped(batches[1:], len(points)), points, strict=True):
        airline.stage(batch)
        died = _run(airline, tmp_path / "more", point)
        assert died.returncode in (-signal.SIGKILL, 0), (point, died.stderr)
    assert _run(airline, tmp_path / "last").returncode == 0
    airline.assert_true(stream.changes)


def _grouped(batches: list[list[Record]], number: int) -> list[list[Record]]:
    """Return the batches put together to as many as are asked for."""
    found: list[list[Record]] = [[] for _ in range(number)]
    for index, batch in enumerate(batches):
        found[index * number // len(batches)].extend(batch)
    return found


def _run(
    airline: Airline, trace: Path, *point: str
) -> "subprocess.CompletedProcess[str]":
    paths = (str(SQL_FOLDER.parent / "include"), str(SQL_FOLDER.parent))
    settings = airline.settings.model_copy(update={"palate_topics": {}})
    environment = environment_of(settings) | {"PALATE_AREAS": "flights"}
    del environment["PALATE_TOPICS"]
    return subprocess.run(
        [sys.executable, "-m", "tests.areas.flights.victim", str(trace), *point],
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def _chosen(trace: Path) -> list[str]:
    names = trace.read_text().splitlines()
    found = []
    for stage in STAGES:
        own = [name for name in names if name.startswith(stage)]
        assert own, stage
        commits = [name for name in own if ": COMMIT" in name]
        found += [*own[2 :: max(len(own) // 4, 1)][:4], *commits[:1]]
    return list(dict.fromkeys(found))

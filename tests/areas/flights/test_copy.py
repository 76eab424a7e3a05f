"""Point 25, and what else must hold of the mart's copy in the second PostgreSQL."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from palate.checks.run import reconcile
from palate.copies.tables import mart_columns
from palate.engine import Outcome
from palate.errors import AccessDeniedError, ServiceUnavailableError, WarehouseError
from palate.incidents import open_incidents
from palate.marts import stage as marts
from palate.marts.definitions import find_mart
from palate.monitoring import alarms
from palate.names import SQL_FOLDER
from palate.pipelines import pipeline
from tests.areas.flights.airline import FLIGHTS, MART, Airline
from tests.areas.flights.changes import Stream
from tests.areas.flights.mart_database import MartDatabase
from tests.integration.staged import caller
from tests.warehouses import environment_of

STAGE = "copy:presentation"
P1, P2, P3 = "0001 000001", "0001 000002", "0001 000003"


@pytest.fixture
def stream() -> Stream:
    """Give three passengers with a flight each."""
    stream = Stream()
    for table in ("airports", "bookings", "flights"):
        stream.add(table, "c", 100)
    stream.add("airports", "c", 100, airport_code="LED", airport_name='{"en": "P"}')
    for number, passenger in enumerate((P1, P2, P3)):
        ticket = {"ticket_no": f"000543200000{number}"}
        stream.add("tickets", "c", 110, passenger_id=passenger, **ticket)
        stream.add("ticket_flights", "c", 111, **ticket)
    return stream


def _sold(stream: Stream, number: int, lsn: int, amount: str) -> None:
    """Change what a passenger's flight costs."""
    ticket = f"000543200000{number}"
    stream.add("ticket_flights", "u", lsn, ticket_no=ticket, amount=amount)


def _take_new(airline: Airline, stream: Stream) -> None:
    """Load the records that were added since."""
    (known,) = airline.rows("SELECT count(*) FROM stg.order_events")[0]
    airline.take(stream.records[known:])


def test_first_run_copies_all_with_the_columns_of_the_contract(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    copied.take(stream.records)
    copied.load()  # the first run of a new mart ends its initial load
    assert copied.copy().counts["written"] == 3
    assert mart_database.rows() == copied.rows("SELECT * FROM cdm.presentation")
    columns = mart_database.rows(
        "SELECT column_name, format_type(a.atttypid, a.atttypmod)"
        " FROM information_schema.columns JOIN pg_attribute AS a"
        " ON attrelid = 'presentation.presentation'::regclass AND attname = column_name"
        " WHERE (table_schema, table_name) = ('presentation', 'presentation')"
        " ORDER BY ordinal_position"
    )
    assert columns == [
        ("passenger_id", "character varying(20)"),
        ("passenger_name", "text"),
        ("flight_number", "integer"),
        ("flown_number", "integer"),
        ("purchase_sum", "numeric(14,2)"),
        ("home_airport_code", "text"),
        ("home_airport", "text"),
        ("created_at", "timestamp with time zone"),
    ]
    again = copied.copy()
    assert (again.batches, again.counts.total()) == (0, 0)
    assert copied.rows("SELECT count(*) FROM ops.mart_changes") == [(0,)]


def test_only_changed_rows_are_written(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    _copied_once(copied, stream)
    mart_database.note_writes()
    _sold(stream, 0, 200, "1.00")
    stream.add("tickets", "d", 201, ticket_no="0005432000001", passenger_id=P2)
    stream.add("tickets", "c", 202, ticket_no="0005432000009", passenger_id="new")
    _take_new(copied, stream)
    copied.copy()
    assert mart_database.written() == [
        (P1, "UPDATE"), (P2, "DELETE"), ("new", "INSERT"),
    ]  # fmt: skip
    assert mart_database.presentation() == copied.presentation()


def test_point_25_database_of_the_mart_is_away_for_a_while(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    _copied_once(copied, stream)
    mart_database.note_writes()
    mart_database.close()
    at_once = {"palate_freshness_seconds": 0.001}
    away = replace(copied, settings=copied.settings.model_copy(update=at_once))
    for lsn, amount in ((200, "1.00"), (210, "2.00"), (220, "3.00")):
        _sold(stream, 0, lsn, amount)
        _take_new(away, stream)  # the vault and the mart go on
        with pytest.raises(ServiceUnavailableError) as failed:
            away.copy()
        assert "MART_DSN (127.0.0.1:" in str(failed.value)
        assert f"/{mart_database.name})" in str(failed.value)
        assert "cret" not in str(failed.value)
    away.assert_true(stream.changes)
    told: list[alarms.Alarm] = []
    alarms.send_all(copied.conn, lambda alarm: told.append(alarm) or "all")
    assert [(one.incident.subject, one.is_over) for one in told] == [(STAGE, False)]
    assert "cret" not in told[0].text

    mart_database.open()
    copied.copy()
    assert mart_database.presentation() == copied.presentation()
    assert mart_database.written() == [(P1, "UPDATE")]
    assert open_incidents(copied.conn) == []
    alarms.send_all(copied.conn, lambda alarm: told.append(alarm) or "all")
    assert [one.is_over for one in told] == [False, True]


def test_short_failure_is_no_alarm(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    _copied_once(copied, stream)
    mart_database.close()
    for _ in range(2):
        with pytest.raises(ServiceUnavailableError):
            copied.copy()
    assert open_incidents(copied.conn) == []
    mart_database.open()
    copied.copy()
    assert copied.rows("SELECT failing_dt FROM ops.mart_copies") == [(None,)]


def test_rebuild_and_repeat_of_the_mart_reach_the_copy(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    _copied_once(copied, stream)
    mart_database.note_writes()
    _falsify(copied, mart_database, P1)
    before = mart_database.presentation()
    marts.rebuild(copied.settings, MART, caller("rebuild"))
    copied.copy()
    assert mart_database.presentation() == copied.presentation() != before
    _falsify(copied, mart_database, P2)
    _sold(stream, 1, 300, "5.00")
    copied.stage(stream.records[-1:])
    for _ in range(2):  # the second one is a cleared task: a repeat
        copied.load("repeated")
    copied.copy()
    assert mart_database.presentation() == copied.presentation()
    assert [key for key, op in mart_database.written()] == [P1, P1, P2, P2]


@pytest.mark.parametrize("lsns", [(201,), (201, 202)], ids=["one batch", "two"])
def test_other_history_in_the_copy_is_compared_whole(
    copied: Airline, stream: Stream, mart_database: MartDatabase, lsns: tuple[int, ...]
) -> None:
    _copied_once(copied, stream)
    mart_database.execute("CREATE TABLE backup AS TABLE presentation.presentation")
    mart_database.execute("CREATE TABLE mark AS TABLE presentation.watermarks")
    for lsn in lsns:
        _sold(stream, 0, lsn, f"{lsn}.00")
        _take_new(copied, stream)
        copied.copy()
    mart_database.execute(
        "TRUNCATE presentation.presentation, presentation.watermarks;"
        " INSERT INTO presentation.presentation TABLE backup;"
        " INSERT INTO presentation.watermarks TABLE mark"
    )
    assert mart_database.presentation() != copied.presentation()
    copied.copy()
    assert mart_database.presentation() == copied.presentation()
    mart_database.execute("DROP TABLE presentation.presentation")
    copied.copy()
    assert mart_database.presentation() == copied.presentation()


def test_small_batches_take_all_changes(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    _copied_once(copied, stream)
    for number in range(3):
        _sold(stream, number, 200 + number, "9.00")
    _take_new(copied, stream)
    small = copied.settings.model_copy(update={"palate_chunk_positions": 1})
    assert replace(copied, settings=small).copy().batches == 3
    assert mart_database.presentation() == copied.presentation()


def test_table_with_other_columns_is_named(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    _copied_once(copied, stream)
    mart_database.execute("ALTER TABLE presentation.presentation DROP home_airport")
    with pytest.raises(WarehouseError, match="has other columns than"):
        copied.copy()


def test_login_needs_no_right_but_to_write_rows(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    _copied_once(copied, stream)
    name = mart_database.name
    mart_database.execute(f"REASSIGN OWNED BY {name} TO postgres")
    mart_database.execute(f"GRANT USAGE ON SCHEMA presentation TO {name}")
    _sold(stream, 0, 200, "1.00")
    _take_new(copied, stream)
    with pytest.raises(AccessDeniedError, match="permission denied for table"):
        copied.copy()
    mart_database.execute(
        "GRANT SELECT, INSERT, UPDATE, DELETE"
        f" ON ALL TABLES IN SCHEMA presentation TO {name}"
    )
    copied.copy()
    assert mart_database.presentation() == copied.presentation()


def test_without_an_address_there_is_no_stage_and_no_log(
    copied: Airline, airline: Airline, stream: Stream
) -> None:
    _copied_once(copied, stream)
    (stage,) = [one for one in pipeline(FLIGHTS) if one.name == STAGE]
    assert stage.is_on(copied.settings)
    assert not stage.is_on(airline.settings)
    _sold(stream, 0, 200, "1.00")
    _take_new(airline, stream)
    for table in ("mart_copies", "mart_changes"):
        assert airline.rows(f"SELECT count(*) FROM ops.{table}") == [(0,)]


def test_reconcile_compares_the_copy_with_the_mart(
    copied: Airline, stream: Stream, mart_database: MartDatabase
) -> None:
    _copied_once(copied, stream)
    assert _of_copy(copied) == (0, [], "")
    _sold(stream, 0, 200, "1.00")
    _take_new(copied, stream)
    assert _of_copy(copied) == (0, [], "")  # it waits for the copy
    mart_database.execute(
        "UPDATE presentation.presentation SET created_at = now(), flight_number = 5"
        f" WHERE passenger_id = '{P2}'"
    )
    found, examples, _ = _of_copy(copied)
    assert found == 2
    assert [(row["what"], row["flight_number"]) for row in examples] == [
        ("is", 5), ("should be", 1),
    ]  # fmt: skip
    mart_database.close()
    assert "MART_DSN" in _of_copy(copied)[2]


def _falsify(airline: Airline, mart: MartDatabase, passenger: str) -> None:
    """Let mart and copy say the same wrong thing."""
    wrong = f"SET flown_number = 7 WHERE passenger_id = '{passenger}'"
    airline.conn.execute(f"UPDATE cdm.presentation {wrong}")
    mart.execute(f"UPDATE presentation.presentation {wrong}")


def _of_copy(airline: Airline) -> tuple[int, list[dict[str, Any]], str]:
    (one,) = [r for r in reconcile(airline.settings) if r.check.startswith("copies/")]
    return one.found, one.examples, one.note


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_whole", [False, True], ids=["changes", "all rows"])
def test_killed_at_every_statement_nothing_is_missing_or_double(
    copied: Airline,
    stream: Stream,
    mart_database: MartDatabase,
    tmp_path: Path,
    is_whole: bool,
) -> None:
    _copied_once(copied, stream)
    mart_database.note_writes()
    trace, lsn = tmp_path / "points", 200
    foreign = "UPDATE presentation.watermarks SET token = gen_random_uuid()"
    changed = [(P1, "UPDATE")]
    _sold(stream, 0, lsn, "0.01")
    _take_new(copied, stream)
    if is_whole:
        mart_database.execute(foreign)
    assert _run(copied, mart_database, trace).returncode == 0
    points = _told_apart(trace)[:: 4 if is_whole else 1]
    for number, point in enumerate(points):
        _sold(stream, number % 3, lsn + 1 + number, f"{number + 1}.00")
        changed.append(((P1, P2, P3)[number % 3], "UPDATE"))
        _take_new(copied, stream)
        if is_whole:
            mart_database.execute(foreign)
        died = _run(copied, mart_database, tmp_path / "more", point)
        assert died.returncode == -signal.SIGKILL, (point, died.stderr)
        copied.copy()
        assert mart_database.presentation() == copied.presentation(), point
    assert mart_database.written() == sorted(changed)
    assert copied.rows("SELECT count(*) FROM ops.mart_changes") == [(0,)]


def _told_apart(trace: Path) -> list[str]:
    """Return the points of a run, without those that only set up a session."""
    return [
        name
        for name in trace.read_text().splitlines()
        if "set_config" not in name and not name.endswith("COPY row 1")
    ]


def _copied_once(airline: Airline, stream: Stream) -> Outcome:
    airline.take(stream.records)
    airline.load()
    return airline.copy()


def _run(
    airline: Airline, mart: MartDatabase, trace: Path, point: str = ""
) -> "subprocess.CompletedProcess[str]":
    paths = (str(SQL_FOLDER.parent / "include"), str(SQL_FOLDER.parent))
    settings = airline.settings.model_copy(update={"palate_topics": {}})
    own = environment_of(settings) | {"PALATE_AREAS": "flights", "MART_DSN": mart.dsn}
    del own["PALATE_TOPICS"]
    return subprocess.run(
        [
            *(sys.executable, "-m", "tests.areas.flights.victim"),
            *(str(trace), point, STAGE),
        ],
        env={**os.environ, **own, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_columns_are_those_of_the_mart(copied: Airline) -> None:
    mart = find_mart(MART)
    assert mart_columns(copied.conn, mart)[:-1] == tuple(mart.all_columns)

"""The area's source is there where it is wanted, with the settings that are agreed."""

import json
import re
from pathlib import Path

import pytest

from deploy.flights import connector, source
from deploy.local import flights
from deploy.local.__main__ import local_stack
from deploy.local.airflow_server import REPOSITORY
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from palate.monitoring import airline

GUIDE = (REPOSITORY / "docs" / "flights-connector.md").read_text(encoding="utf-8")
SETTINGS = json.loads(connector.FILE.read_text())
# What is agreed with whoever reads the topics.
AGREED = {
    "topic.prefix": "flights",
    "plugin.name": "pgoutput",
    "publication.autocreate.mode": "disabled",
    "snapshot.mode": "when_needed",
    "decimal.handling.mode": "string",
    "provide.transaction.metadata": "true",
    "tombstones.on.delete": "true",
    "skipped.operations": "none",
    "heartbeat.interval.ms": "5000",
    "key.converter.schemas.enable": "false",
    "value.converter.schemas.enable": "false",
}


def test_settings_are_those_that_are_agreed() -> None:
    assert AGREED.items() <= SETTINGS.items()
    beats = SETTINGS["heartbeat.action.query"]
    assert re.match(r"INSERT INTO bookings\.heartbeat .* ON CONFLICT .* UPDATE", beats)
    # A filtered snapshot, asked for by a signal, can't be told from a whole one.
    tables = (*source.TABLES, source.HEARTBEAT)
    assert SETTINGS["table.include.list"] == ",".join(f"bookings.{t}" for t in tables)
    assert not [name for name in SETTINGS if "signal" in name]


def test_guide_explains_each_setting_with_its_value() -> None:
    rows = re.findall(r"^\| `([a-z.]+)` \| `([^`]+)` \| \S.* \|$", GUIDE, re.MULTILINE)
    assert dict(rows) == {
        name: value
        for name, value in SETTINGS.items()
        if not name.startswith(("table.include", "heartbeat.action", "connector.class"))
        and "converter" not in name
    }


def test_tables_are_the_same_in_each_file() -> None:
    folder = Path(source.__file__).parent
    made = re.findall(
        r"CREATE TABLE IF NOT EXISTS bookings\.(\w+)",
        (folder / "schema.sql").read_text(),
    )
    tables = [*source.TABLES, source.HEARTBEAT]
    assert made == tables
    text = (folder / "publication.sql").read_text()
    assert re.findall(r"bookings\.(\w+)", text) == tables
    text = (folder / "rights.sql").read_text()
    assert re.findall(r"bookings\.(\w+)", text) == [*tables, source.HEARTBEAT]
    assert sorted(tables) == sorted(airline.tables())
    assert list(connector.topics()) == [f"flights.bookings.{t}" for t in tables]


def test_stack_has_no_airline_unless_the_area_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_VAR", str(tmp_path))
    for areas in ("", "food"):
        monkeypatch.setenv("PALATE_AREAS", areas)
        stack = local_stack()
        assert not {one.name for one in stack.states()} & {*flights.PARTS}
        assert not [name for name in stack.env() if "FLIGHTS" in name]
    monkeypatch.setenv("PALATE_AREAS", "food, flights")
    stack = local_stack()
    assert {*flights.PARTS} <= {one.name for one in stack.states()}
    assert stack.env()["PALATE_AREAS"] == "food,flights"
    assert {"FLIGHTS_STANDBY_DSN", "MART_DSN"} <= stack.env().keys()


def test_airflow_gets_no_login_that_writes_at_the_airline(tmp_path: Path) -> None:
    stack = Stack(tmp_path, Ports(), areas="food,flights")
    assert stack._areas_env().keys() == {
        "PALATE_AREAS",
        "FLIGHTS_STANDBY_DSN",
        "FLIGHTS_PRIMARY_DSN",
        "FLIGHTS_CONNECT_URL",
        "MART_DSN",
    }

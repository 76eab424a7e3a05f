"""The door works with the rights of ``palate_intake``, which has no others."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from palate.settings import Settings
from tests.e2e.airflow_api import until
from tests.intake.process import Intake, running
from tests.reader_login import reader_login

# What somebody with the door's login might try.
FORBIDDEN = [
    "SELECT FROM stg.order_events",
    "SELECT FROM dds.h_company",
    "SELECT FROM cdm.company_years",
    "UPDATE ops.imports SET state = 'loaded'",
    "DELETE FROM ops.imports",
    "DELETE FROM ops.event_outbox",
    "UPDATE ops.event_outbox SET value = ''",
    "INSERT INTO ops.intake_tokens SELECT * FROM ops.intake_tokens",
    "UPDATE ops.intake_tokens SET revoked_dt = NULL",
    "INSERT INTO stg.file_problems SELECT * FROM stg.file_problems",
    "CREATE TABLE ops.mine ()",
]


@pytest.fixture(scope="module")
def login(services: Stack, settings: Settings) -> Iterator[str]:
    """Give the warehouse's address for the door alone."""
    dsn = settings.dwh_dsn.get_secret_value()
    with reader_login(services, dsn, "palate_intake") as found:
        yield found


@pytest.fixture(scope="module")
def intake(
    settings: Settings, login: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    """Run a replica that may do no more."""
    folder: Path = tmp_path_factory.mktemp("intake")
    with running(settings, folder, Ports.free().kafka, DWH_DSN=login) as found:
        yield found


def test_door_receives_tells_and_answers(intake: Intake) -> None:
    partner = intake.partner("acme")
    content = json.dumps({"permalink": "a", "name": "A"}).encode()
    number = partner.send(content).json()["import_id"]
    assert partner.send(content).status_code == 200
    assert partner.send(b"{").status_code == 422

    def events() -> dict[str, str]:
        found: dict[str, str] = partner.client.get(f"/imports/{number}").json()[
            "events"
        ]
        return found

    until(lambda: events() == {"FileExtractSuccess": "sent"}, "the event is sent")
    listed = partner.client.get("/imports").json()["imports"]
    assert [one["state"] for one in listed] == ["malformed", "received"]
    problems = partner.client.get(f"/imports/{number}/problems")
    assert problems.json()["problems"] == []
    ready = partner.client.get("/readiness").json()["checks"]
    assert {*ready.values()} == {"ok"}
    assert "# TYPE palate_files_waiting gauge" in intake.metrics()


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_login_may_do_nothing_else(login: str, statement: str) -> None:
    with (
        psycopg.connect(login) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(statement)

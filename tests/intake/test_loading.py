"""From an event to rows: the files that were kept are judged, and loaded once."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kafka import KafkaProducer

from deploy.local.ports import Ports
from palate import pipelines
from palate.database import Connection, connect
from palate.engine import Caller
from palate.errors import NotFoundError, ServiceUnavailableError
from palate.files import datasets, stage
from palate.files.schema import judge_of
from palate.settings import Settings
from palate.sources import catalog
from tests.e2e.airflow_api import until
from tests.intake.process import Intake, Partner, running
from tests.warehouses import MakeWarehouse

FILES = catalog.load_area("files")
NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def settings(make_warehouse: MakeWarehouse) -> Iterator[Settings]:
    """Give a warehouse that loads files only."""
    with make_warehouse(palate_areas="files", palate_topics=None) as found:
        yield found


@pytest.fixture(scope="module")
def intake(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    """Run a replica; what loads finds its store, too."""
    folder: Path = tmp_path_factory.mktemp("intake")
    with (
        running(settings, folder, Ports.free().kafka) as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PALATE_INTAKE_STORE", found.env["PALATE_INTAKE_STORE"])
        yield found


@pytest.fixture
def dwh(settings: Settings) -> Iterator[Connection]:
    with connect(settings) as conn:
        yield conn


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give datasets that a test may change."""
    found = tmp_path / "sources"
    shutil.copytree(datasets.FOLDER, found)
    monkeypatch.setattr(datasets, "FOLDER", found)
    monkeypatch.setattr(datasets.datasets, "__defaults__", (found,))
    return found


def company(name: str, **more: Any) -> dict[str, Any]:
    return {"permalink": name, "name": name.title(), **more}


def sent(partner: Partner, *records: dict[str, Any]) -> str:
    lines = "\n".join(map(json.dumps, records)).encode()
    answer = partner.send(lines, NDJSON)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["import_id"])


def load(intake: Intake) -> None:
    """Run the area's stages once all events are sent."""
    waiting = "SELECT count(*) FROM ops.event_outbox WHERE sent_dt IS NULL"
    until(lambda: intake.ask(waiting) == [(0,)], "all events are sent")
    for _ in pipelines.run_pipeline(intake.settings):
        pass


def state(partner: Partner, number: str) -> dict[str, Any]:
    found: dict[str, Any] = partner.client.get(f"/imports/{number}").json()
    return found


def records_of(dwh: Connection, number: str) -> list[tuple[Any, ...]]:
    return dwh.execute(
        "SELECT record_no, convert_from(message, 'UTF8') FROM stg.file_records"
        " WHERE import_id = %s ORDER BY record_no",
        (number,),
    ).fetchall()


def events_of(dwh: Connection, number: str, event: str) -> list[tuple[Any, ...]]:
    return dwh.execute(
        "SELECT event_id, value::jsonb FROM ops.event_outbox"
        " WHERE import_id = %s AND event = %s ORDER BY event_no",
        (number, event),
    ).fetchall()


def test_row_01_good_file_comes_to_its_rows(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    name = partner.company
    records = [
        company(f"{name}-a", founded_year=1999, offices=[{"country_code": "USA"}]),
        company(
            f"{name}-b",
            founded_year={"$numberInt": "1999"},
            number_of_employees={"$numberInt": "5"},
            offices=[{"country_code": "USA"}],
        ),
    ]
    number = sent(partner, *records)
    load(intake)
    load(intake)
    found = state(partner, number)
    assert (found["state"], found["loaded"], found["invalid"]) == ("loaded", 2, 0)
    expected = [(n, json.dumps(one)) for n, one in enumerate(records, start=1)]
    assert records_of(dwh, number) == expected
    assert dwh.execute(
        "SELECT permalink, founded_year, employees, country_code FROM dds.v_company"
        " WHERE permalink LIKE %s ORDER BY 1",
        (f"{name}-%",),
    ).fetchall() == [
        (f"{name}-a", 1999, None, "USA"),
        (f"{name}-b", 1999, 5, "USA"),
    ]
    counted = dwh.execute(
        "SELECT companies_cnt >= 2 FROM cdm.company_years"
        " WHERE (country_code, founded_year) = ('USA', 1999)"
    )
    assert counted.fetchone() == (True,)


def test_later_file_of_a_company_counts(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    name = partner.company
    for year in (2001, 2002):
        sent(partner, company(name, founded_year=year))
        load(intake)
    sent(partner, company(name, founded_year=2003), company(name, founded_year=2004))
    load(intake)
    newest = "SELECT founded_year FROM dds.v_company WHERE permalink = %s"
    assert dwh.execute(newest, (name,)).fetchone() == (2004,)


def test_row_08_and_10_one_invalid_record_refuses_the_file_until_a_replay(
    intake: Intake, partner: Partner, dwh: Connection, definitions: Path
) -> None:
    name = partner.company
    wrong = company(f"{name}-b", offices=[{"latitude": 100}], founded_year="x")
    number = sent(partner, company(f"{name}-a"), wrong, company(f"{name}-c"))
    load(intake)
    found = state(partner, number)
    assert (found["state"], found["loaded"], found["invalid"]) == ("invalid", 0, 1)
    assert records_of(dwh, number) == []
    pointers = [(p["record"], p["pointer"]) for p in found["problems"]]
    assert (2, "/offices/0/latitude") in pointers
    ((event_id, value),) = events_of(dwh, number, "ValidationError")
    assert event_id == f"{number}/ValidationError/1"
    assert (value["records"], value["invalid"]) == (3, 1)
    assert value["problems"] == found["problems"]
    paged = partner.client.get(f"/imports/{number}/problems?after=1&limit=1").json()
    assert paged["problems"] == found["problems"][1:2]

    path = definitions / "companies" / "schema.json"
    schema = json.loads(path.read_text())
    del schema["properties"]["offices"], schema["properties"]["founded_year"]
    path.write_text(json.dumps(schema))
    judge_of.cache_clear()
    replay(intake, number)
    found = state(partner, number)
    assert (found["state"], found["loaded"], found["problems"]) == ("loaded", 3, [])
    assert [n for n, _ in records_of(dwh, number)] == [1, 2, 3]
    with pytest.raises(NotFoundError, match="that was refused"):
        replay(intake, number)
    assert len(events_of(dwh, number, "ValidationError")) == 1


def test_row_09_invalid_records_alone_are_refused_where_the_dataset_says_so(
    intake: Intake, partner: Partner, dwh: Connection, definitions: Path
) -> None:
    path = definitions / "companies" / "dataset.yaml"
    path.write_text(path.read_text() + "refuse: record\n")
    name = partner.company
    wrong = company(f"{name}-b") | {"name": ""}
    number = sent(partner, company(f"{name}-a"), wrong, company(f"{name}-c"))
    load(intake)
    found = state(partner, number)
    assert (found["state"], found["loaded"]) == ("partly_loaded", 2)
    assert len(records_of(dwh, number)) == 3
    refused = dwh.execute(
        "SELECT r.reason FROM stg.rejected_messages AS r INNER JOIN stg.file_records"
        " AS f USING (topic, epoch, kafka_partition, kafka_offset)"
        " WHERE f.import_id = %s",
        (number,),
    )
    assert refused.fetchall() == [("invalid_record",)]
    loaded = "SELECT permalink FROM dds.v_company WHERE permalink LIKE %s ORDER BY 1"
    assert dwh.execute(loaded, (f"{name}-%",)).fetchall() == [
        (f"{name}-a",),
        (f"{name}-c",),
    ]


@pytest.mark.parametrize("harm", ["deleted", "changed"])
def test_row_22_file_that_is_gone_or_changed_is_unreadable_until_put_back(
    intake: Intake, partner: Partner, dwh: Connection, harm: str
) -> None:
    name = partner.company
    number, other = sent(partner, company(name)), sent(partner, company(f"{name}-b"))
    (key,) = intake.ask(
        "SELECT object_key FROM ops.imports WHERE import_id = %s", number
    )[0]
    path = intake.objects / key
    content = path.read_bytes()
    path.unlink()
    if harm == "changed":
        path.write_bytes(content.replace(b"name", b"Name"))
    load(intake)
    assert state(partner, number)["state"] == "unreadable"
    assert state(partner, other)["state"] == "loaded"
    alarm = "SELECT ended_dt IS NOT NULL FROM ops.incidents WHERE subject = %s"
    assert dwh.execute(alarm, (number,)).fetchall() == [(False,)]
    path.write_bytes(content)
    replay(intake, number)
    assert state(partner, number)["state"] == "loaded"
    assert dwh.execute(alarm, (number,)).fetchall() == [(True,)]


def test_row_23_what_is_no_event_of_ours_is_refused_and_nothing_else(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    good = {
        "event": "FileExtractSuccess",
        "import_id": sent(partner, company(partner.company)),
        "company": partner.company,
        "dataset": "companies",
    }
    mine = sha256(json.dumps(company(partner.company)).encode()).hexdigest()
    elsewhere = {"sha256": mine, "url": "s3://x/etc"}
    messages = {
        b"{": "not_json",
        b"[]": "not_an_event",
        b'{"event": "x"}': "not_an_event",
        json.dumps(good | {"import_id": "x"}).encode(): "unknown_import",
        json.dumps(good | {"import_id": str(UUID(int=7))}).encode(): "unknown_import",
        json.dumps(good | elsewhere).encode(): "not_our_object",
    }
    producer = KafkaProducer(bootstrap_servers=intake.settings.kafka_bootstrap)
    for message in messages:
        producer.send("processedFile", message).get(10)
    producer.close()
    load(intake)
    assert state(partner, good["import_id"])["state"] == "loaded"
    for message, reason in messages.items():
        refused = dwh.execute(
            "SELECT r.reason FROM stg.rejected_messages AS r INNER JOIN stg.file_events"
            " AS e USING (topic, epoch, kafka_partition, kafka_offset)"
            " WHERE e.message = %s",
            (message,),
        )
        assert refused.fetchall() == [(reason,)], message


def test_row_19_store_that_is_away_fails_the_stage_and_moves_nothing(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    number = sent(partner, company(partner.company))
    with away(intake), pytest.raises(ServiceUnavailableError, match="no bucket"):
        load(intake)
    assert state(partner, number)["state"] == "received"
    load(intake)
    assert state(partner, number)["state"] == "loaded"
    assert len(records_of(dwh, number)) == 1


def replay(intake: Intake, number: str) -> None:
    caller = Caller.in_shell("files/records")
    stage.replay(intake.settings, FILES, caller, [UUID(number)])


@contextmanager
def away(intake: Intake) -> Iterator[None]:
    elsewhere = intake.objects.with_name("elsewhere")
    intake.objects.rename(elsewhere)
    yield
    elsewhere.rename(intake.objects)

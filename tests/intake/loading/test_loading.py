"""From an event to rows: the files that were kept are judged, and loaded once."""

import json
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from kafka import KafkaProducer

from palate.database import Connection
from palate.errors import ServiceUnavailableError
from tests.intake.loading.sent import (
    away,
    change_schema,
    company,
    events_of,
    load,
    records_of,
    refuse_records,
    replay,
    sent,
    state,
)
from tests.intake.process import Intake, Partner


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

    change_schema(definitions, "offices", "founded_year")
    replay(intake, number)
    found = state(partner, number)
    assert (found["state"], found["loaded"], found["problems"]) == ("loaded", 3, [])
    assert [n for n, _ in records_of(dwh, number)] == [1, 2, 3]
    replay(intake, number)
    assert len(records_of(dwh, number)) == 3
    assert len(events_of(dwh, number, "ValidationError")) == 1


def test_row_09_invalid_records_alone_are_refused_where_the_dataset_says_so(
    intake: Intake, partner: Partner, dwh: Connection, definitions: Path
) -> None:
    refuse_records(definitions)
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

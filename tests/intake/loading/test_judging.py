"""What a judgement counts, keeps and tells, whatever the file and its events are."""

import gzip
import json
from pathlib import Path

import pytest
from kafka import KafkaProducer

from palate.database import Connection
from tests.intake.loading.sent import (
    NDJSON,
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

JSON = "application/json"
THREE = [b'{"permalink": "a", "name" : "A"}', b'{"permalink":"b","name":"B"}']
THREE += [b'{"name": "\\ud83d\\ude00", "permalink": "c", "n": 1.0}']


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"[" + b" , ".join(THREE) + b"]\n", JSON),
        (b"\r\n".join(THREE) + b"\n\n", NDJSON),
    ],
    ids=["array", "lines"],
)
def test_row_02_records_are_the_bytes_of_the_file(
    intake: Intake,
    partner: Partner,
    dwh: Connection,
    content: bytes,
    kind: str,
    packed: bool,
) -> None:
    if packed:
        packed_content = gzip.compress(content)
        answer = partner.send(packed_content, kind, Content_Encoding="gzip")
    else:
        answer = partner.send(content, kind)
    number = answer.json()["import_id"]
    load(intake)
    expected = [(n, one.decode()) for n, one in enumerate(THREE, start=1)]
    assert records_of(dwh, number) == expected


def test_records_have_positions_of_their_feed(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    numbers = [sent(partner, company("a"), company(str(n))) for n in range(3)]
    load(intake)
    rows = dwh.execute(
        "SELECT f.topic, f.epoch, f.kafka_partition, f.kafka_offset, f.import_id::text,"
        " f.record_no, f.broker_dt = e.broker_dt FROM stg.file_records AS f"
        " INNER JOIN stg.file_events AS e"
        " ON convert_from(e.message, 'UTF8')::jsonb ->> 'import_id'"
        " = f.import_id::text WHERE f.import_id = ANY(%s::uuid[])"
        " ORDER BY f.kafka_offset",
        (numbers,),
    ).fetchall()
    first = rows[0][3]
    assert rows == [
        (
            "files.companies",
            0,
            0,
            first + place,
            numbers[place // 2],
            1 + place % 2,
            True,
        )
        for place in range(6)
    ]


def test_file_without_records_is_loaded(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    number = partner.send(b"[]").json()["import_id"]
    load(intake)
    found = state(partner, number)
    assert (found["state"], found["records"], found["loaded"]) == ("loaded", 0, 0)
    assert records_of(dwh, number) == []
    assert events_of(dwh, number, "ValidationError") == []


def test_row_06_same_content_by_two_keys_is_loaded_twice(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    content = json.dumps(company(partner.company)).encode()
    numbers = [
        partner.send(content, Idempotency_Key=key).json()["import_id"]
        for key in ("one", "two")
    ]
    load(intake)
    assert [len(records_of(dwh, number)) for number in numbers] == [1, 1]
    assert len([*(intake.objects / partner.company / "files").iterdir()]) == 1


def test_events_that_come_again_load_nothing_again(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    good = sent(partner, company(partner.company))
    bad = sent(partner, company(partner.company, offices=[{"latitude": 100}]))
    load(intake)
    values = dwh.execute(
        "SELECT value FROM ops.event_outbox WHERE event = 'FileExtractSuccess'"
        " AND import_id = ANY(%s::uuid[]) ORDER BY event_no DESC",
        ([good, bad],),
    ).fetchall()
    producer = KafkaProducer(bootstrap_servers=intake.settings.kafka_bootstrap)
    for _ in range(2):
        for (value,) in values:
            producer.send("processedFile", value.encode()).get(10)
    producer.close()
    load(intake)
    assert len(records_of(dwh, good)) == 1
    assert len(events_of(dwh, bad, "ValidationError")) == 1
    judged = "SELECT judgements FROM ops.imports WHERE import_id = ANY(%s::uuid[])"
    assert dwh.execute(judged, ([good, bad],)).fetchall() == [(1,), (1,)]


def test_case_17_problems_are_kept_as_limited_and_counted_whole(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    many = company("many", offices=[{"latitude": 100}] * 25)
    far = company("far", offices=[{"latitude": 100}])
    number = sent(partner, many, company("good"), *[far] * 10_000)
    load(intake)
    found = state(partner, number)
    assert (found["records"], found["invalid"], found["loaded"]) == (10_002, 10_001, 0)
    assert len(found["problems"]) == 20
    assert {one["record"] for one in found["problems"]} == {1}
    pages = f"/imports/{number}/problems?limit=1000&after="
    kept = [
        one
        for after in range(0, 11_000, 1_000)
        for one in partner.client.get(f"{pages}{after}").json()["problems"]
    ]
    assert len(kept) == 10_000
    assert [one["record"] for one in kept[19:22]] == [1, 3, 4]
    ((_, value),) = events_of(dwh, number, "ValidationError")
    assert (value["invalid"], value["records"]) == (10_001, 10_002)
    assert value["problems"] == found["problems"]


def test_case_18_schema_of_the_load_judges(
    intake: Intake, partner: Partner, dwh: Connection, definitions: Path
) -> None:
    digest = "SELECT schema_digest FROM stg.files WHERE import_id = %s"
    earlier = sent(partner, company(partner.company))
    load(intake)
    number = sent(partner, company(partner.company, offices=[{"latitude": 100}]))
    change_schema(definitions, "offices")
    load(intake)
    assert state(partner, number)["state"] == "loaded"
    (before,), (now,) = (
        row
        for one in (earlier, number)
        for row in dwh.execute(digest, (one,)).fetchall()
    )
    assert before != now


@pytest.mark.parametrize("number", ["1e200000", "-1.5E-20000", f"1e{'9' * 30}"])
def test_number_that_postgresql_has_not_is_a_problem(
    intake: Intake, partner: Partner, dwh: Connection, number: str
) -> None:
    name = partner.company
    odd = f'{{"permalink": "{name}-odd", "name": "Odd", "a": {{"b~": [1, {number}]}}}}'
    first = partner.send(odd.encode()).json()["import_id"]
    sent(partner, company(name))
    load(intake)
    found = state(partner, first)
    assert (found["state"], found["invalid"]) == ("invalid", 1)
    (problem,) = found["problems"]
    assert (problem["pointer"], problem["reason"]) == ("/a/b~0/1", "number")
    assert in_vault(dwh, name) == [name]


@pytest.mark.parametrize("number", ["1e400", "-1.5E-400", "1" + "0" * 999, "1e99999"])
def test_number_is_kept_as_it_is_written(
    intake: Intake, partner: Partner, dwh: Connection, number: str
) -> None:
    name = partner.company
    odd = f'{{"permalink": "{name}", "name": "1e200000", "score": {number}}}'
    first = partner.send(odd.encode()).json()["import_id"]
    load(intake)
    assert state(partner, first)["state"] == "loaded"
    assert records_of(dwh, first) == [(1, odd)]
    assert in_vault(dwh, name) == [name]


def in_vault(dwh: Connection, name: str) -> list[str]:
    found = "SELECT permalink FROM dds.v_company WHERE permalink LIKE %s || '%%'"
    return [permalink for (permalink,) in dwh.execute(found, (name,))]


def test_all_records_of_a_file_may_be_refused_one_by_one(
    intake: Intake, partner: Partner, dwh: Connection, definitions: Path
) -> None:
    refuse_records(definitions)
    number = sent(partner, {"permalink": "a"}, {"permalink": "b"})
    load(intake)
    found = state(partner, number)
    assert (found["state"], found["loaded"], found["invalid"]) == ("invalid", 0, 2)
    assert records_of(dwh, number) == []
    change_schema(definitions)
    replay(intake, number)
    assert state(partner, number)["invalid"] == 2
    assert records_of(dwh, number) == []
    assert len(events_of(dwh, number, "ValidationError")) == 2

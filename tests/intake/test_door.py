"""What the door lets in, and what it says to the rest (contract_intake, 2 to 5)."""

import gzip
import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

import httpx
import pytest
from kafka import KafkaConsumer, TopicPartition

from tests.e2e.airflow_api import until
from tests.intake.process import Intake, Partner, problem

ONE = b'{"name": "Acme", "permalink": "acme"}'
THREE = b'[{"a":1},{"a":2},{"a":3}]'
LINES = b'{"a":1}\n{"a":2}\r\n\n{"a":3}'
NDJSON = "application/x-ndjson"


def events(intake: Intake, company: str) -> list[tuple[Any, ...]]:
    """Return the events of a company, once all are sent."""
    waiting = "SELECT count(*) FROM ops.event_outbox WHERE sent_dt IS NULL"
    until(lambda: intake.ask(waiting) == [(0,)], "all events are sent")
    return intake.ask(
        "SELECT event, event_id, value::jsonb FROM ops.event_outbox WHERE company = %s"
        " ORDER BY event_no",
        company,
    )


def test_row_01_one_object_is_kept_entered_and_told(
    intake: Intake, partner: Partner
) -> None:
    answer = partner.send(
        ONE, Content_Disposition='attachment; filename="c.json"', X_Request_Id="r-1"
    )
    state = answer.json()
    digest = sha256(ONE).hexdigest()
    assert answer.status_code == 202
    assert answer.headers["X-Request-Id"] == "r-1"
    assert answer.headers["Location"] == f"/imports/{state['import_id']}"
    assert (state["state"], state["repeated"]) == ("received", False)
    assert (state["records"], state["bytes"], state["sha256"]) == (1, len(ONE), digest)
    assert (state["filename"], state["company"]) == ("c.json", partner.company)
    key = f"{partner.company}/files/{digest}.json"
    assert (intake.objects / key).read_bytes() == ONE
    ((event, event_id, value),) = events(intake, partner.company)
    assert (event, event_id) == (
        "FileExtractSuccess",
        f"{state['import_id']}/FileExtractSuccess",
    )
    assert value["url"] == (intake.objects / key).as_uri()
    assert value["etag"] == f'"{digest}"'
    assert (value["request_id"], value["form"]) == ("r-1", "json")
    shown = partner.client.get(answer.headers["Location"]).json()
    assert shown == state | {"events": {"FileExtractSuccess": "sent"}}


def test_row_11_event_is_in_its_topic(intake: Intake, partner: Partner) -> None:
    number = partner.send(ONE).json()["import_id"]
    events(intake, partner.company)
    consumer = KafkaConsumer(
        bootstrap_servers=intake.settings.kafka_bootstrap,
        isolation_level="read_committed",
    )
    partitions = [TopicPartition("processedFile", one) for one in range(3)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()

    def found() -> Any:
        for batch in consumer.poll(500).values():
            for message in batch:
                if number in message.value.decode():
                    return message
        return None

    message = until(found, "the event")
    consumer.close()
    headers = dict(message.headers)
    assert message.key == partner.company.encode()
    assert headers["ce_id"] == f"{number}/FileExtractSuccess".encode()
    assert headers["ce_subject"] == f"{partner.company}/companies".encode()
    assert headers["ce_specversion"] == b"1.0"
    assert headers["palate-origin"] == b"palate"
    assert json.loads(message.value)["import_id"] == number


@pytest.mark.parametrize(
    ("content", "kind", "records"),
    [
        (THREE, "application/json", 3),
        (LINES, NDJSON, 3),
        (LINES, "application/jsonl; charset=UTF-8", 3),
        (b"[]", "application/json", 0),
    ],
)
def test_row_02_each_form_packed_or_not(
    partner: Partner, content: bytes, kind: str, records: int
) -> None:
    plain = partner.send(content, kind)
    packed = partner.send(gzip.compress(content), kind, Content_Encoding="gzip")
    half = len(content) // 2
    members = gzip.compress(content[:half]) + gzip.compress(content[half:])
    again = partner.send(members, kind, Content_Encoding="gzip")
    chunked = partner.send(iter([content[:half], content[half:]]), kind)
    assert plain.json()["records"] == records
    assert [plain.status_code, packed.status_code, again.status_code] == [202, 200, 200]
    assert chunked.json()["import_id"] == plain.json()["import_id"]
    assert packed.json() | {"repeated": False, "events": 0} == plain.json() | {
        "events": 0
    }


def test_row_05_and_06_keys(intake: Intake, partner: Partner) -> None:
    first = partner.send(ONE, Idempotency_Key="k1")
    other = partner.send(ONE, Idempotency_Key="k2")
    assert (first.status_code, other.status_code) == (202, 202)
    assert first.json()["import_id"] != other.json()["import_id"]
    again = partner.send(ONE, Idempotency_Key="k1")
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    reused = partner.send(THREE, Idempotency_Key="k1")
    assert (reused.status_code, problem(reused)["reason"]) == (422, "key_reused")
    assert len(events(intake, partner.company)) == 2
    assert len(list((intake.objects / partner.company / "files").iterdir())) == 1


def test_row_07_malformed_is_told_once(intake: Intake, partner: Partner) -> None:
    bad = b'[{"a":1},{"a":NaN}]'
    first = partner.send(bad)
    said = problem(first)
    assert (first.status_code, said["reason"]) == (422, "not_json")
    assert (said["record"], said["offset"]) == (2, 14)
    second = partner.send(bad)
    assert second.headers["Location"] == first.headers["Location"]
    assert problem(second)["detail"] == said["detail"]
    packed = partner.send(gzip.compress(bad), Content_Encoding="gzip")
    assert packed.headers["Location"] == first.headers["Location"]
    ((event, _, value),) = events(intake, partner.company)
    assert (event, value["reason"], value["record"]) == (
        "FileExtractError",
        "not_json",
        2,
    )
    assert "url" not in value
    assert not (intake.objects / partner.company).exists()
    state = partner.client.get(first.headers["Location"]).json()
    assert (state["state"], state["reason"]) == ("malformed", "not_json")


def test_corrected_file_needs_a_new_key(partner: Partner) -> None:
    assert partner.send(b"[", Idempotency_Key="k").status_code == 422
    reused = partner.send(b"[]", Idempotency_Key="k")
    assert problem(reused)["reason"] == "key_reused"
    assert partner.send(b"[]", Idempotency_Key="k-2").status_code == 202


@pytest.mark.parametrize(
    ("headers", "status", "reason", "header"),
    [
        ({"Content-Type": "text/csv"}, 415, "unsupported_type", "Accept"),
        ({"Content-Type": ""}, 415, "unsupported_type", "Accept"),
        (
            {"Content-Type": "application/json; charset=latin1"},
            415,
            "unsupported_type",
            "Accept",
        ),
        ({"Content-Encoding": "br"}, 415, "unsupported_type", "Accept-Encoding"),
        ({"Idempotency-Key": "a b"}, 400, "bad_header", None),
        ({"Idempotency-Key": "x" * 129}, 400, "bad_header", None),
        ({"Repr-Digest": "sha-256=:abc:"}, 400, "bad_header", None),
        (
            {"Repr-Digest": f"sha-256=:{b64encode(bytes(32)).decode()}:"},
            400,
            "digest_mismatch",
            None,
        ),
        ({"Content-Encoding": "gzip"}, 422, "bad_gzip", "Location"),
        ({"Authorization": ""}, 401, "no_token", "WWW-Authenticate"),
        ({"Authorization": "Bearer palate_x"}, 401, "no_token", "WWW-Authenticate"),
        (
            {"Authorization": f"Bearer palate_{'0' * 12}_{'a' * 43}"},
            401,
            "no_token",
            "WWW-Authenticate",
        ),
    ],
)
def test_headers_that_are_refused(
    partner: Partner,
    headers: dict[str, str],
    status: int,
    reason: str,
    header: str | None,
) -> None:
    values = {"Content-Type": "application/json"} | headers
    answer = partner.client.post("/import/companies", content=ONE, headers=values)
    assert (answer.status_code, problem(answer)["reason"]) == (status, reason)
    assert header is None or header in answer.headers


def test_right_digest_is_accepted(partner: Partner) -> None:
    digest = b64encode(sha256(ONE).digest()).decode()
    packed = gzip.compress(ONE)
    answer = partner.send(
        packed, Content_Encoding="gzip", Repr_Digest=f"sha-256=:{digest}:"
    )
    assert answer.status_code == 202


def test_row_12_who_may_send_what(intake: Intake, partner: Partner) -> None:
    other = intake.partner("somebody-else", dataset="something")
    location = partner.send(ONE).headers["Location"]
    for answer, status, reason in (
        (other.client.get(location), 404, "unknown_import"),
        (other.client.get("/imports/no-uuid"), 404, "unknown_import"),
        (other.send(ONE), 403, "not_your_dataset"),
        (other.send(ONE, dataset="nothing"), 404, "unknown_dataset"),
        (httpx.get(f"{intake.url}{location}"), 401, "no_token"),
        (httpx.get(f"{intake.url}/openapi.json"), 401, "no_token"),
        (partner.client.put("/import/companies"), 405, "method_not_allowed"),
        (partner.client.get("/nowhere"), 404, "not_found"),
        (partner.client.get("/imports?limit=0"), 400, "bad_request"),
    ):
        assert (answer.status_code, problem(answer)["reason"]) == (status, reason)
    assert partner.client.put("/import/companies").headers["Allow"] == "POST"
    assert partner.client.get("/openapi.json").json()["info"]["title"]

    (token_id,) = intake.ask(
        "SELECT token_id FROM ops.intake_tokens WHERE company = %s", partner.company
    )[0]
    assert intake.palate("tokens", "revoke", token_id).returncode == 0
    assert problem(partner.send(ONE))["reason"] == "no_token"


def test_tokens_are_made_listed_and_shown_once(intake: Intake) -> None:
    made = intake.palate("tokens", "add", "acme", "--dataset", "companies")
    token = made.stdout.strip()
    assert made.returncode == 0
    listed = intake.palate("tokens", "list", "--json")
    assert "acme" in listed.stdout
    assert token[-43:] not in listed.stdout
    client = httpx.Client(headers={"Authorization": f"Bearer {token}"})
    assert client.get(f"{intake.url}/imports").json() == {"imports": [], "next": None}
    client.close()
    assert token[-43:] not in intake.log
    for name, dataset in (("Acme Inc", "companies"), ("acme", "people")):
        refused = intake.palate("tokens", "add", name, "--dataset", dataset)
        assert (refused.returncode, refused.stdout) == (2, "")


def test_imports_are_listed_page_by_page(partner: Partner) -> None:
    sent = [
        partner.send(json.dumps({"n": n}).encode()).json()["import_id"]
        for n in range(5)
    ]
    first = partner.client.get("/imports?limit=2").json()
    rest = partner.client.get(f"/imports?after={first['next']}").json()
    found = [one["import_id"] for one in first["imports"] + rest["imports"]]
    assert found == sent[::-1]
    assert rest["next"] is None
    assert partner.client.get("/imports?state=malformed").json()["imports"] == []


def test_file_names_are_labels(intake: Intake, partner: Partner) -> None:
    for number, given in enumerate(
        (
            'attachment; filename="../../etc/passwd"',
            'attachment; filename="<script>alert(1)</script>"',
            "attachment; filename*=UTF-8''%D1%8F%0D%0Ax",
            f'attachment; filename="{"x" * 9_000}"',
            "attachment; filename",
            ";;;",
        )
    ):
        content = json.dumps({"n": number}).encode()
        answer = partner.send(content, Content_Disposition=given)
        name = answer.json()["filename"]
        assert answer.status_code == 202
        assert name is None or (len(name) <= 255 and name.isprintable())
    files = (intake.objects / partner.company / "files").iterdir()
    assert {len(one.name) for one in files} == {69}


def test_liveness_and_readiness_say_what_is(intake: Intake) -> None:
    alive = httpx.get(f"{intake.url}/liveness").json()
    assert alive.keys() == {"status", "version", "commit", "started"}
    ready = httpx.get(f"{intake.url}/readiness").json()
    names = ("postgres", "objects", "kafka", "schema")
    assert ready == {"status": "ready", "checks": dict.fromkeys(names, "ok")}

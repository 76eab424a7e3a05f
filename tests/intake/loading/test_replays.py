"""What was refused is judged again by a replay only, by today's schema, and once."""

from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from palate import pipelines
from palate.database import Connection
from palate.engine import Caller
from palate.errors import NotFoundError, RequestError
from palate.files import replay as replays
from tests.intake.loading.sent import (
    FILES,
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

OFFICE = [{"latitude": 100}]


def test_refused_records_of_a_file_are_accepted_where_they_are(
    intake: Intake, partner: Partner, dwh: Connection, definitions: Path
) -> None:
    refuse_records(definitions)
    name = partner.company
    mended = company(f"{name}-b", offices=OFFICE)
    wrong = {"permalink": f"{name}-c", "name": ""}
    number = sent(partner, company(f"{name}-a"), mended, wrong)
    load(intake)
    assert state(partner, number)["loaded"] == 1
    before = records_of(dwh, number)

    change_schema(definitions, "offices")
    replay(intake, number)
    found = state(partner, number)
    assert (found["state"], found["loaded"], found["invalid"]) == (
        *("partly_loaded", 2, 1),
    )
    assert [one["record"] for one in found["problems"]] == [3]
    assert records_of(dwh, number) == before
    assert loaded(dwh, name) == [f"{name}-a", f"{name}-b"]
    ids = [event for event, _ in events_of(dwh, number, "ValidationError")]
    assert ids == [f"{number}/ValidationError/{n}" for n in (1, 2)]

    change_schema(definitions, "name")
    replay(intake, number)
    replay(intake, number)
    load(intake)
    found = state(partner, number)
    assert (found["state"], found["loaded"], found["problems"]) == ("loaded", 3, [])
    assert len(events_of(dwh, number, "ValidationError")) == 2
    assert refused(dwh, number) == []


def loaded(dwh: Connection, name: str) -> list[str]:
    return [
        permalink
        for (permalink,) in dwh.execute(
            "SELECT permalink FROM dds.v_company WHERE permalink LIKE %s ORDER BY 1",
            (f"{name}-%",),
        )
    ]


def refused(dwh: Connection, number: str) -> list[tuple[object, ...]]:
    return dwh.execute(
        "SELECT r.kafka_offset FROM stg.rejected_messages AS r"
        " INNER JOIN stg.file_records AS f"
        " USING (topic, epoch, kafka_partition, kafka_offset) WHERE f.import_id = %s",
        (number,),
    ).fetchall()


def test_replay_of_a_file_that_is_still_invalid_tells_of_it_once_more(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    number = sent(partner, company(partner.company, offices=OFFICE))
    load(intake)
    replay(intake, number)
    found = state(partner, number)
    assert (found["state"], found["invalid"], len(found["problems"])) == (
        "invalid",
        1,
        1,
    )
    ids = [event for event, _ in events_of(dwh, number, "ValidationError")]
    assert ids == [f"{number}/ValidationError/{n}" for n in (1, 2)]


def test_attempts_of_one_task_judge_a_file_once(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    number = sent(partner, company(partner.company, offices=OFFICE))
    load(intake)
    caller = Caller("files_replay", f"manual__{number}", "replay")
    for _ in range(2):
        replays.run(intake.settings, FILES, caller, replays.selection([number]))
    assert len(events_of(dwh, number, "ValidationError")) == 2


def test_replays_are_narrowed(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    far = sent(partner, company(partner.company, offices=OFFICE))
    unnamed = sent(partner, {"permalink": partner.company})
    load(intake)

    def judged(**asked: str) -> list[int]:
        replay(intake, **asked)  # type: ignore[arg-type]
        return [
            len(events_of(dwh, number, "ValidationError")) for number in (far, unnamed)
        ]

    assert judged(reason="required") == [1, 2]
    assert judged(reason="maximum", state="invalid") == [2, 2]
    assert judged(state="unreadable") == [2, 2]
    assert judged(dataset="others") == [2, 2]
    assert judged(dataset="companies") == [3, 3]
    listed = replays.refused(dwh, replays.selection([far]))
    (problem,) = [one.problem for one in listed]
    assert problem is not None
    assert problem.startswith("record 1 /offices/0/latitude: ")


def test_what_makes_no_sense_is_refused_by_name(intake: Intake) -> None:
    unknown = str(uuid4())
    with pytest.raises(NotFoundError, match=unknown):
        replay(intake, unknown)
    with pytest.raises(RequestError, match="'x' is no import's id"):
        replays.selection(["x"])
    with pytest.raises(RequestError, match="No file that is loaded was refused"):
        replays.selection(state="loaded")


def test_dismissed_file_is_left_alone_unless_it_is_named(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    number = sent(partner, company(partner.company))
    (key,) = intake.ask(
        "SELECT object_key FROM ops.imports WHERE import_id = %s", number
    )[0]
    content = (intake.objects / key).read_bytes()
    (intake.objects / key).unlink()
    load(intake)
    asked = replays.selection([number])
    assert replays.dismiss(intake.settings, asked, "ada", "it is lost") == 1
    assert replays.dismiss(intake.settings, asked, "bob", "it is lost") == 0
    assert dwh.execute(
        "SELECT dismissed_by, dismissed_why FROM ops.imports WHERE import_id = %s",
        (number,),
    ).fetchall() == [("ada", "it is lost")]
    alarm = "SELECT ended_dt IS NOT NULL FROM ops.incidents WHERE subject = %s"
    assert dwh.execute(alarm, (number,)).fetchall() == [(True,)]

    (intake.objects / key).write_bytes(content)
    replay(intake, state="unreadable")
    assert state(partner, number)["state"] == "unreadable"
    replay(intake, number)
    assert state(partner, number)["state"] == "loaded"


def test_commands(intake: Intake, partner: Partner) -> None:
    number = sent(partner, company(partner.company, offices=OFFICE))
    load(intake)
    files = partial(intake.palate, app="files", PALATE_AREAS="files")
    said = files("list", "--state", "invalid", "--json")
    assert (said.returncode, number in said.stdout) == (0, True), said.stderr
    assert "This would take every" in files("replay").stderr
    said = files("replay", number, "--json")
    assert '"records_invalid": 1' in said.stdout, said.stderr
    said = files("dismiss", number, "--why", "a test")
    assert "Dismissed 1 refused file." in said.stdout, said.stderr


def test_replay_moves_no_position_of_the_events(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    number = sent(partner, company(partner.company, offices=OFFICE))
    load(intake)
    moved = (
        "SELECT topic, kafka_partition, next_offset FROM ops.watermarks"
        " WHERE stage = 'files/records' ORDER BY 1, 2"
    )
    before = dwh.execute(moved).fetchall()
    replay(intake, number)
    assert dwh.execute(moved).fetchall() == before
    assert [*pipelines.run_pipeline(intake.settings)]
    assert len(events_of(dwh, number, "ValidationError")) == 2

"""Row 17: killed before any statement, each file is judged once, with one event."""

import os
from pathlib import Path
from typing import Any

import pytest

from palate import pipelines
from palate.database import Connection
from palate.engine import Caller
from palate.files import replay as replays
from palate.files import stage, verdict
from palate.settings import Settings
from tests.e2e.airflow_api import until
from tests.faults import points
from tests.faults.points import Trip
from tests.intake.loading.sent import (
    FILES,
    company,
    events_of,
    records_of,
    sent,
    state,
)
from tests.intake.process import Intake, Partner

RECORDS = "files/records"


def staged(intake: Intake) -> None:
    """Drain the events, once all are sent; judge no file."""
    waiting = "SELECT count(*) FROM ops.event_outbox WHERE sent_dt IS NULL"
    until(lambda: intake.ask(waiting) == [(0,)], "all events are sent")
    drain = pipelines.find_stage(intake.settings, FILES.drain)
    drain.run(intake.settings, Caller.in_shell(drain.name))


def judged(settings: Settings, again: str = "") -> None:
    """Run what is to be killed: the stage, or the replay of a file."""
    if again:
        asked = replays.selection([again])
        replays.run(settings, FILES, Caller.in_shell("files replay"), asked)
    else:
        stage.run(settings, FILES, Caller.in_shell(RECORDS))


def in_a_child(
    settings: Settings, trace: Path, trip: Trip | None, again: str = ""
) -> int:
    """Judge in a child of this process; return how that has ended."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        points.watch(trip, trace, settings.dwh_dsn.get_secret_value())
        judged(settings, again)
        points.wait_for_the_end()
        os._exit(0)
    finally:
        os._exit(1)


def all_points(trace: Path) -> list[str]:
    """Return the points of a run up to the commit of what it judged."""
    found = trace.read_text().splitlines()
    updates = [n for n, one in enumerate(found) if "UPDATE ops.imports" in one]
    commits = [n for n, one in enumerate(found) if ": COMMIT" in one]
    last = next(n for n in commits if n > updates[-1])
    return found[: last + 1]


def known(dwh: Connection, number: str) -> tuple[Any, ...]:
    """Return all that a judgement leaves of a file."""
    row = dwh.execute(
        "SELECT state, loaded, invalid, judgements,"
        " (SELECT count(*) FROM stg.file_problems AS p"
        " WHERE p.import_id = i.import_id)"
        " FROM ops.imports AS i WHERE import_id = %s",
        (number,),
    ).fetchone()
    assert row is not None
    ids = [event for event, _ in events_of(dwh, number, "ValidationError")]
    return (*row, ids, [number for number, _ in records_of(dwh, number)])


@pytest.mark.parametrize("kind", ["good", "invalid", "replay"])
def test_row_17_killed_before_each_statement(
    intake: Intake, partner: Partner, dwh: Connection, tmp_path: Path, kind: str
) -> None:
    def one(name: str) -> str:
        bad = {} if kind == "good" else {"offices": [{"latitude": 100}]}
        number = sent(partner, company(name), company(f"{name}-b", **bad))
        staged(intake)
        if kind == "replay":
            judged(intake.settings)
        return number

    def again(number: str) -> str:
        return number if kind == "replay" else ""

    # The broker has events of others, which are refused first.
    staged(intake)
    judged(intake.settings)
    number = one(f"{partner.company}-traced")
    assert in_a_child(intake.settings, tmp_path / "trace", None, again(number)) == 0
    names = all_points(tmp_path / "trace")
    assert len(names) > 20
    told, problems = known(dwh, number)[3], known(dwh, number)[4]

    number = one(partner.company)
    before = known(dwh, number)
    for name in names:
        trip = Trip(name=name)
        ended = in_a_child(intake.settings, tmp_path / "killed", trip, again(number))
        assert ended == -9, name
        assert known(dwh, number) == before, name
    # Once more in the middle of the commit: it may have come to its end.
    commit = Trip(name=names[-1], inside=True)
    in_a_child(intake.settings, tmp_path / "killed", commit, again(number))
    if known(dwh, number) == before or kind != "replay":
        judged(intake.settings, again(number))
    if kind == "good":
        assert known(dwh, number) == ("loaded", 2, 0, 1, 0, [], [1, 2])
        return
    ids = [f"{number}/ValidationError/{n + 1}" for n in range(told)]
    assert known(dwh, number) == ("invalid", 0, 1, told, problems, ids, [])
    assert state(partner, number)["state"] == "invalid"


def test_planted_bug_event_before_the_commit_is_seen(
    intake: Intake,
    partner: Partner,
    dwh: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The event is entered by a session of its own: a kill leaves it alone."""
    import psycopg

    tell = verdict._tell

    def beside(_: Connection, *rest: Any) -> None:
        dsn = intake.settings.dwh_dsn.get_secret_value()
        with psycopg.connect(dsn, autocommit=True) as own:
            tell(own, *rest)

    monkeypatch.setattr(verdict, "_tell", beside)
    number = sent(partner, company(partner.company, offices=[{"latitude": 100}]))
    staged(intake)
    before = known(dwh, number)
    trip = Trip(text="INSERT INTO ops.batches")
    assert in_a_child(intake.settings, tmp_path / "killed", trip) == -9
    assert known(dwh, number) != before
    # Nothing else would ever take this event back.
    dwh.execute(
        "DELETE FROM ops.event_outbox WHERE import_id = %s AND event = %s",
        (number, "ValidationError"),
    )

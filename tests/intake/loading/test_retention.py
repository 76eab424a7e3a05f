"""How long files are kept: by age, never what waits, and nothing that nobody names."""

import json
import os
import time
from hashlib import sha256

import pytest

from palate.database import Connection
from palate.engine import Caller
from palate.intake.retention import Tidied, retain
from tests.intake.loading.sent import FILES, NDJSON, company, load, replay, sent, state
from tests.intake.process import Intake, Partner

DAY = 24 * 3600


def tidied(intake: Intake, *, dry_run: bool = False) -> Tidied:
    caller = Caller.in_shell("files retain")
    return retain(intake.settings, FILES, caller, dry_run=dry_run)


def key_of(dwh: Connection, number: str, *, days: int = 0) -> str:
    """Return an import's object; let the import be older than it is."""
    ((key,),) = dwh.execute(
        "UPDATE ops.imports SET received_dt = received_dt - %s * interval '1 day'"
        " WHERE import_id = %s RETURNING object_key",
        (days, number),
    ).fetchall()
    return str(key)


def test_object_that_no_import_names_goes_after_a_day(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    kept = key_of(dwh, sent(partner, company(partner.company)), days=400)
    folder = (intake.objects / kept).parent
    for name, hours in (("old", 25), ("young", 23)):
        orphan = folder / f"{sha256(name.encode()).hexdigest()}.json"
        orphan.write_bytes(b"[]")
        then = time.time() - hours * 3600
        os.utime(orphan, (then, then))
    old = f"{partner.company}/files/{sha256(b'old').hexdigest()}.json"
    assert tidied(intake, dry_run=True).orphans == [old]
    assert (intake.objects / old).exists()
    found = tidied(intake)
    assert (found.orphans, found.expired) == ([old], [])
    assert not (intake.objects / old).exists()
    assert (intake.objects / kept).exists()
    assert tidied(intake).orphans == []


def test_object_that_is_about_to_be_named_stays(
    intake: Intake, partner: Partner, dwh: Connection
) -> None:
    folder = intake.objects / partner.company / "files"
    folder.mkdir(parents=True)
    key = f"{partner.company}/files/{sha256(b'x').hexdigest()}.json"
    (intake.objects / key).write_bytes(b"[]")
    os.utime(intake.objects / key, (0, 0))
    lock = (f"palate intake object {key}",)
    # As the door does, from before it writes an object until its import is committed.
    dwh.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", lock)
    assert tidied(intake).orphans == []
    dwh.execute("SELECT pg_advisory_unlock_shared(hashtextextended(%s, 0))", lock)
    assert tidied(intake).orphans == [key]


def test_loaded_file_goes_by_its_age_and_a_refused_one_once_it_is_dismissed(
    intake: Intake,
    partner: Partner,
    dwh: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = partner.company
    loaded, young = sent(partner, company(name)), sent(partner, company(f"{name}-y"))
    invalid = sent(partner, {"permalink": name})
    load(intake)
    waiting = sent(partner, company(f"{name}-w"))
    keys = {
        number: key_of(dwh, number, days=31) for number in (loaded, invalid, waiting)
    }
    young_key = key_of(dwh, young, days=29)
    assert tidied(intake).expired == []
    monkeypatch.setenv("PALATE_INTAKE_KEEP_DAYS", "30")
    expired = tidied(intake).expired
    assert keys[loaded] in expired
    assert not {keys[invalid], keys[waiting], young_key} & {*expired}
    # It is still known, and is not loaded again.
    assert sent_again(partner, company(name)) == (200, loaded)
    assert state(partner, loaded)["state"] == "loaded"

    dwh.execute(
        "UPDATE ops.imports SET dismissed_dt = now() WHERE import_id = %s", (invalid,)
    )
    assert tidied(intake).expired == [keys[invalid]]
    load(intake)
    assert state(partner, waiting)["state"] == "loaded"
    assert tidied(intake).expired == [keys[waiting]]
    replay(intake, invalid)
    assert state(partner, invalid)["state"] == "unreadable"


def test_object_stays_while_one_of_its_imports_needs_it(
    intake: Intake,
    partner: Partner,
    dwh: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PALATE_INTAKE_KEEP_DAYS", "30")
    content = b'{"permalink": "a", "name": "A"}'
    first, second = (
        partner.send(content, Idempotency_Key=key).json()["import_id"]
        for key in ("one", "two")
    )
    load(intake)
    key = key_of(dwh, first, days=31)
    assert key not in tidied(intake).expired
    assert key_of(dwh, second, days=31) == key
    assert tidied(intake).expired == [key]


def sent_again(partner: Partner, record: dict[str, object]) -> tuple[int, str]:
    answer = partner.send(json.dumps(record).encode(), NDJSON)
    return answer.status_code, answer.json()["import_id"]

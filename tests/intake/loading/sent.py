"""Files that are sent and loaded, and what became of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from palate import pipelines
from palate.database import Connection
from palate.engine import Caller
from palate.files import replay as replays
from palate.files.schema import judge_of
from palate.sources import catalog
from tests.e2e.airflow_api import until
from tests.intake.process import Intake, Partner

FILES = catalog.load_area("files")
NDJSON = "application/x-ndjson"


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


def replay(intake: Intake, *numbers: str, **asked: Any) -> None:
    """Judge files again, and load what is accepted."""
    caller = Caller.in_shell("files replay")
    wanted = replays.selection(numbers, **asked)
    replays.run(intake.settings, FILES, caller, wanted)
    for _ in pipelines.follow_replays(intake.settings):
        pass


def change_schema(definitions: Path, *without: str) -> None:
    """Take what a schema says of these properties back."""
    path = definitions / "companies" / "schema.json"
    schema = json.loads(path.read_text())
    for name in without:
        del schema["properties"][name]
    path.write_text(json.dumps(schema))
    judge_of.cache_clear()


def refuse_records(definitions: Path) -> None:
    """Let the dataset refuse records, not files."""
    path = definitions / "companies" / "dataset.yaml"
    path.write_text(path.read_text() + "refuse: record\n")


@contextmanager
def away(intake: Intake) -> Iterator[None]:
    elsewhere = intake.objects.with_name("elsewhere")
    intake.objects.rename(elsewhere)
    yield
    elsewhere.rename(intake.objects)

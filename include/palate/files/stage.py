"""The stage ``records``: events about files become the files' records in STG.

An event only names an import: which file it is, and whose, ``ops.imports`` says. A file
is judged once, in one transaction with the event's position, its records, problems and
state, and its own event. What is refused is judged again by a replay only.
"""

import json
import logging
from uuid import UUID

from palate.database import Connection
from palate.engine import Batch, Caller, Outcome, StageRun, open_run
from palate.files import verdict
from palate.files.events import Event
from palate.files.objects import Store, open_store
from palate.files.settings import IntakeSettings
from palate.files.verdict import File, Verdict
from palate.names import FileReason
from palate.positions import (
    FeedPartition,
    Range,
    messages,
    open_ranges,
    row_chunks,
)
from palate.settings import Settings
from palate.sources import Area

log = logging.getLogger(__name__)

STAGE = "records"
# Events in one transaction; fewer, if their files are large.
_EVENTS = 100


class _NotAnEventError(Exception):
    """Raised for a message that tells of no file of ours."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def run(settings: Settings, area: Area, caller: Caller) -> Outcome:
    """Judge the files that events tell of, and stage their records.

    A cleared task finds its files judged: only a replay judges one again.

    :raises ServiceUnavailableError: if the store of files does not answer; the
        positions stay open
    """
    store = store_of(settings)
    with open_run(settings, area.stage(STAGE), caller) as attempt:
        while ranges := row_chunks.first(
            attempt.conn,
            open_ranges(attempt.conn, attempt.stage, [area.drain]),
            _EVENTS,
            row_chunks.MESSAGES,
        ):
            with attempt.batch(ranges) as batch:
                batch.ranges = _take(attempt, settings, store, batch)
        return attempt.outcome


def store_of(settings: Settings) -> Store:
    """Return the store of files, by settings that may come from Airflow."""
    return open_store(IntakeSettings.loaded(**settings.model_dump()))


def count(batch: Batch, found: Verdict) -> None:
    """Count a judged file in its batch."""
    batch.counts["files"] += 1
    batch.counts["records_loaded"] += found.loaded
    batch.counts["records_invalid"] += found.invalid
    log.info("%s is %s.", found.file.import_id, found.state)


def _take(
    attempt: StageRun, settings: Settings, store: Store, batch: Batch
) -> list[Range]:
    """Take the events of an open batch until their files are large; return which.

    It ends behind a file with an event of its own: until the commit that event keeps
    the other uploads of its company waiting.
    """
    conn, size, is_told = attempt.conn, 0, False
    taken: list[Range] = []
    for item in batch.ranges:
        end = item.start
        for piece in messages.pieces(conn, [item]):
            for offset, broker_dt, message in messages.select(
                conn,
                piece,
                "SELECT kafka_offset, broker_dt, message FROM {messages}"
                " ORDER BY kafka_offset",
            ).fetchall():
                if is_told or size > settings.palate_drain_bytes:
                    begun = [Range(item.log, item.start, end)]
                    return [*taken, *(begun if end > item.start else [])]
                try:
                    found = _file_of(conn, message)
                except _NotAnEventError as error:
                    _refuse(conn, item.log, offset, error, batch)
                else:
                    if found.state == "received":
                        judged = verdict.judge(
                            *(conn, settings, store, found),
                            *(broker_dt, batch.load_dt),
                        )
                        count(batch, judged)
                        size += found.bytes
                        is_told = judged.invalid > 0
                end = offset + 1
        taken.append(item)
    return taken


def _file_of(conn: Connection, message: bytes | None) -> File:
    """Return the import that an event names.

    :raises _NotAnEventError: if it names none of ours
    """
    try:
        value = json.loads(message or b"")
    except (ValueError, RecursionError):
        raise _NotAnEventError("not_json", "the value is not JSON") from None
    if not isinstance(value, dict) or value.get("event") != Event.SUCCESS:
        what = f"the field event is not {Event.SUCCESS}"
        raise _NotAnEventError(FileReason.NOT_AN_EVENT, what)
    try:
        found = verdict.find(conn, UUID(str(value.get("import_id"))))
    except ValueError:
        found = None
    if found is None:
        what = "the field import_id names no import whose file is kept"
        raise _NotAnEventError(FileReason.UNKNOWN_IMPORT, what)
    said = (value.get("company"), value.get("sha256"), value.get("dataset"))
    is_at = str(value.get("url", "")).endswith(f"/{found.key}")
    if said != (found.company, found.sha256.hex(), found.dataset.name) or not is_at:
        what = "url, sha256, company or dataset is not that of the import"
        raise _NotAnEventError(FileReason.NOT_OUR_OBJECT, what)
    return found


def _refuse(
    conn: Connection,
    at: FeedPartition,
    offset: int,
    error: _NotAnEventError,
    batch: Batch,
) -> None:
    conn.execute(
        "INSERT INTO stg.rejected_messages (topic, epoch, kafka_partition,"
        " kafka_offset, reason, detail, rejected_dt)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (
            *(at.topic, at.epoch, at.partition, offset),
            *(error.reason, str(error), batch.load_dt),
        ),
    )
    batch.counts[f"refused_as_{error.reason}"] += 1

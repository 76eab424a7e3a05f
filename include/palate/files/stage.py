"""The stage ``records``: events about files become the files' records in STG.

An event only names an import: which file it is, and whose, ``ops.imports`` says. A file
is judged once, in one transaction with the event's position, its records, problems and
state, and its own event. What is refused is judged again by a replay only.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg

from palate import incidents
from palate.database import Connection
from palate.engine import Batch, Caller, Outcome, StageRun, open_run
from palate.errors import NotFoundError
from palate.files import events
from palate.files.datasets import Dataset, datasets
from palate.files.events import Event
from palate.files.objects import ObjectMissingError, Store, open_store
from palate.files.records import Form, Limits, Record, Records
from palate.files.refusals import RefusedError
from palate.files.schema import MOST_PROBLEMS, Judge, Problem, judge_of
from palate.files.settings import IntakeSettings
from palate.incidents import Kind
from palate.landing import partitions
from palate.positions import (
    FeedPartition,
    Range,
    advance,
    messages,
    open_ranges,
    row_chunks,
    watermarks,
)
from palate.settings import Settings
from palate.sources import Area

log = logging.getLogger(__name__)

STAGE = "records"
# Events in one transaction; fewer, if their files are large.
_EVENTS = 100
_MOST_KEPT = 10_000
_SHOWN = 20
_GUIDE = "See docs/operations.md, 'A file can't be read'."
_COPY = (
    "COPY stg.order_events (topic, epoch, kafka_partition, kafka_offset, broker_dt,"
    " message, staged_dt) FROM STDIN (FORMAT BINARY)"
)
_COPIED = ("text", "int4", "int4", "int8", "timestamptz", "bytea", "timestamptz")
# What was let in stays readable, whatever is let in by now.
_LIMITS = Limits(2**60, 2**40, 2**30, depth=100, digits=2**30, records=2**60)


@dataclass(frozen=True)
class _File:
    """An import whose records are to be judged."""

    import_id: UUID
    company: str
    dataset: Dataset
    form: Form
    request_id: str
    key: str
    sha256: bytes
    bytes: int
    records: int
    state: str
    judgements: int


@dataclass
class _Verdict:
    """What became of a file."""

    file: _File
    loaded: int = 0
    invalid: int = 0
    is_unreadable: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Return the state of the import."""
        if self.is_unreadable:
            return "unreadable"
        if not self.invalid:
            return "loaded"
        return "partly_loaded" if self.loaded else "invalid"

    def note(self, found: Iterable[Problem]) -> bool:
        """Keep what is wrong with a record; return whether anything is."""
        number = 0
        for one in found:
            number += 1
            if number <= MOST_PROBLEMS and len(self.problems) < _MOST_KEPT:
                self.problems.append(one)
        self.invalid += number > 0
        return number > 0


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
    store = _store(settings)
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


def replay(
    settings: Settings, area: Area, caller: Caller, imports: Iterable[UUID]
) -> Outcome:
    """Judge files again that were refused, by today's schema.

    :raises NotFoundError: if one is not there, or was not refused
    """
    store = _store(settings)
    with open_run(settings, area.stage(STAGE), caller) as attempt:
        for number in imports:
            with attempt.batch([], has_ranges=False) as batch:
                found = _find(attempt.conn, number)
                if found is None or found.state not in ("invalid", "unreadable"):
                    message = (
                        f"There is no import {number} that was refused: "
                        "`palate files list --state invalid`."
                    )
                    raise NotFoundError(message)
                # An import keeps the time at which it came.
                (received,) = attempt.conn.execute(
                    "SELECT received_dt FROM ops.imports WHERE import_id = %s",
                    (number,),
                ).fetchone() or (batch.load_dt,)
                _judge(attempt, settings, store, batch, found, received)
        return attempt.outcome


def _store(settings: Settings) -> Store:
    return open_store(IntakeSettings.loaded(**settings.model_dump()))


def _take(
    attempt: StageRun, settings: Settings, store: Store, batch: Batch
) -> list[Range]:
    """Take the events of an open batch until their files are large; return which."""
    conn, size = attempt.conn, 0
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
                if size > settings.palate_drain_bytes:
                    return [*taken, Range(item.log, item.start, end)]
                try:
                    found = _file_of(conn, message)
                except _NotAnEventError as error:
                    _refuse(conn, item.log, offset, error, batch)
                else:
                    if found.state == "received":
                        _judge(attempt, settings, store, batch, found, broker_dt)
                        size += found.bytes
                end = offset + 1
        taken.append(item)
    return taken


def _file_of(conn: Connection, message: bytes | None) -> _File:
    """Return the import that an event names.

    :raises _NotAnEventError: if it names none of ours
    """
    try:
        value = json.loads(message or b"")
    except (ValueError, RecursionError):
        raise _NotAnEventError("not_json", "the value is not JSON") from None
    if not isinstance(value, dict) or value.get("event") != Event.SUCCESS:
        what = f"the field event is not {Event.SUCCESS}"
        raise _NotAnEventError("not_an_event", what)
    try:
        found = _find(conn, UUID(str(value.get("import_id"))))
    except ValueError:
        found = None
    if found is None:
        what = "the field import_id names no import whose file is kept"
        raise _NotAnEventError("unknown_import", what)
    said = (value.get("company"), value.get("sha256"), value.get("dataset"))
    is_at = str(value.get("url", "")).endswith(f"/{found.key}")
    if said != (found.company, found.sha256.hex(), found.dataset.name) or not is_at:
        what = "url, sha256, company or dataset is not that of the import"
        raise _NotAnEventError("not_our_object", what)
    return found


def _find(conn: Connection, number: UUID) -> _File | None:
    row = conn.execute(
        "SELECT import_id, company, dataset, form, request_id, object_key, sha256,"
        " bytes, records, state, judgements FROM ops.imports"
        " WHERE import_id = %s AND object_key IS NOT NULL",
        (number,),
    ).fetchone()
    if row is None:
        return None
    dataset = datasets().get(row[2])
    if dataset is None:
        message = (
            f"The import {number} is of the dataset {row[2]}, whose folder is gone: "
            "put it back, then run again."
        )
        raise NotFoundError(message)
    return _File(row[0], row[1], dataset, Form(row[3]), *row[4:])


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


def _judge(
    attempt: StageRun,
    settings: Settings,
    store: Store,
    batch: Batch,
    found: _File,
    told_dt: datetime,
) -> None:
    """Judge a file's records, and stage those that its dataset lets in."""
    conn, judge = attempt.conn, judge_of(found.dataset.schema)
    feed = found.dataset.feed
    at = FeedPartition(feed, 0, 0)
    start = watermarks(conn, feed).get(at, 0)
    own = Range(at, start, start + found.records)
    verdict = _Verdict(found)
    with conn.transaction() as saved:
        if found.records:
            partitions.ensure_partitions(conn, settings, [own])
        invalid = _copy(conn, store, judge, verdict, own, told_dt, batch.load_dt)
        is_kept = not verdict.invalid or found.dataset.refuse == "record"
        if verdict.is_unreadable or not is_kept:
            verdict.loaded = 0
            raise psycopg.Rollback(saved)
        _enter(conn, found, judge, own, invalid, verdict, batch.load_dt)
    _conclude(conn, store, verdict)
    batch.counts["files"] += 1
    batch.counts["records_loaded"] += verdict.loaded
    batch.counts["records_invalid"] += verdict.invalid
    log.info("%s is %s.", found.import_id, verdict.state)


def _copy(
    conn: Connection,
    store: Store,
    judge: Judge,
    verdict: _Verdict,
    own: Range,
    told_dt: datetime,
    load_dt: datetime,
) -> list[Problem]:
    """Copy the records into STG; return the first problem of each invalid one."""
    found, digest, size = verdict.file, sha256(), 0
    reading = Records(found.form, _LIMITS, keep=True)
    invalid: list[Problem] = []

    def take(records: list[Record], copy: Any) -> None:
        for one in records:
            known = len(verdict.problems)
            if verdict.note(judge.problems(one.number, one.value)):
                invalid.extend(verdict.problems[known : known + 1])
            else:
                verdict.loaded += 1
            offset = own.start + one.number - 1
            log_columns = (own.log.topic, own.log.epoch, own.log.partition, offset)
            copy.write_row((*log_columns, told_dt, one.content, load_dt))

    try:
        with (
            store.open(found.key) as chunks,
            conn.cursor() as cursor,
            cursor.copy(_COPY) as copy,
        ):
            copy.set_types(_COPIED)
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                take(reading.feed(chunk), copy)
            take(reading.finish(), copy)
    except (ObjectMissingError, RefusedError):
        verdict.is_unreadable = True
        return []
    verdict.is_unreadable = (digest.digest(), size) != (found.sha256, found.bytes)
    return invalid


def _enter(
    conn: Connection,
    found: _File,
    judge: Judge,
    own: Range,
    invalid: list[Problem],
    verdict: _Verdict,
    load_dt: datetime,
) -> None:
    """Enter which positions a file's records have, and those that are refused."""
    conn.execute(
        "INSERT INTO stg.files (import_id, feed, from_offset, to_offset,"
        " schema_digest, staged_dt) VALUES (%s, %s, %s, %s, %s, %s)",
        (
            *(found.import_id, own.log.topic, own.start, own.end),
            *(judge.digest, load_dt),
        ),
    )
    if invalid:
        conn.execute(
            "INSERT INTO stg.rejected_messages (topic, epoch, kafka_partition,"
            " kafka_offset, reason, detail, rejected_dt)"
            " SELECT %s, 0, 0, p.kafka_offset, 'invalid_record', p.detail, %s"
            " FROM unnest(%s::bigint[], %s::text[]) AS p (kafka_offset, detail)",
            (
                own.log.topic,
                load_dt,
                [own.start + one.record - 1 for one in invalid],
                [f"{one.pointer or '(record)'}: {one.detail}" for one in invalid],
            ),
        )
    if own.start < own.end:
        advance(conn, own.log.topic, [own], load_dt)


def _conclude(conn: Connection, store: Store, verdict: _Verdict) -> None:
    """Enter the verdict: state, problems, event; begin or end the incident."""
    found = verdict.file
    number = found.judgements + 1
    conn.execute(
        "UPDATE ops.imports SET state = %s, loaded = %s, invalid = %s,"
        " judgements = %s, finished_dt = clock_timestamp() WHERE import_id = %s",
        (verdict.state, verdict.loaded, verdict.invalid, number, found.import_id),
    )
    conn.execute(
        "DELETE FROM stg.file_problems WHERE import_id = %s", (found.import_id,)
    )
    if verdict.problems:
        with (
            conn.cursor() as cursor,
            cursor.copy(
                "COPY stg.file_problems (import_id, problem_no, record_no, pointer,"
                " reason, detail) FROM STDIN"
            ) as copy,
        ):
            for place, one in enumerate(verdict.problems, start=1):
                copy.write_row(
                    (
                        *(found.import_id, place, one.record),
                        *(one.pointer, one.reason, one.detail),
                    )
                )
    if verdict.is_unreadable:
        incidents.begin(
            conn,
            Kind.FILE,
            str(found.import_id),
            f"The file of the import {found.import_id} is gone from the store, or has "
            f"other bytes than were received: {found.key}. {_GUIDE}",
        )
        return
    incidents.end(conn, Kind.FILE, str(found.import_id))
    if not verdict.invalid:
        return
    events.enter(
        conn,
        Event.VALIDATION,
        f"{found.import_id}/{Event.VALIDATION}/{number}",
        {
            "import_id": str(found.import_id),
            "request_id": found.request_id,
            "company": found.company,
            "dataset": found.dataset.name,
            "url": store.url(found.key),
            "records": found.records,
            "loaded": verdict.loaded,
            "invalid": verdict.invalid,
            "problems": [
                {
                    "record": one.record,
                    "pointer": one.pointer,
                    "reason": one.reason,
                    "detail": one.detail,
                }
                for one in verdict.problems[:_SHOWN]
            ],
        },
    )

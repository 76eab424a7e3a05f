"""Judging the records of one file, by the schema of its dataset.

Who calls holds the lock of a stage and has a transaction open: a file's records, its
problems, its state and its event are committed together.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg

from palate import incidents
from palate.database import Connection
from palate.errors import NotFoundError
from palate.files import events, numbers
from palate.files.datasets import Dataset, datasets
from palate.files.events import Event
from palate.files.objects import ObjectMissingError, Store
from palate.files.records import Form, Limits, Record, Records
from palate.files.refusals import RefusedError
from palate.files.schema import MOST_PROBLEMS, Judge, Problem, judge_of
from palate.incidents import Kind
from palate.landing import partitions
from palate.names import FileReason
from palate.positions import FeedPartition, Range, advance, watermarks
from palate.settings import Settings

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
class File:
    """An import whose file was kept."""

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
    received: datetime


@dataclass
class Verdict:
    """What became of a file."""

    file: File
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
        """Count a record and keep what is wrong with it; return whether anything is."""
        number = 0
        for one in found:
            number += 1
            if number <= MOST_PROBLEMS and len(self.problems) < _MOST_KEPT:
                self.problems.append(one)
        if number:
            self.invalid += 1
        else:
            self.loaded += 1
        return number > 0


def find(conn: Connection, number: UUID) -> File | None:
    """Return an import whose file was kept; nobody else judges it until the commit.

    :raises NotFoundError: if the folder of its dataset is gone
    """
    row = conn.execute(
        "SELECT import_id, company, dataset, form, request_id, object_key, sha256,"
        " bytes, records, state, judgements, received_dt FROM ops.imports"
        " WHERE import_id = %s AND object_key IS NOT NULL FOR NO KEY UPDATE",
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
    return File(row[0], row[1], dataset, Form(row[3]), *row[4:])


def judge(
    conn: Connection,
    settings: Settings,
    store: Store,
    found: File,
    told_dt: datetime,
    load_dt: datetime,
) -> Verdict:
    """Judge a file of which nothing is staged; stage what its dataset lets in.

    :param told_dt: the broker time of the event that told of it
    :raises ServiceUnavailableError: if the store does not answer
    """
    by = judge_of(found.dataset.schema)
    at = FeedPartition(found.dataset.feed, 0, 0)
    start = watermarks(conn, at.topic).get(at, 0)
    own = Range(at, start, start + found.records)
    verdict = Verdict(found)
    with conn.transaction() as saved:
        if found.records:
            partitions.ensure_partitions(conn, settings, [own])
        refused = _copy(conn, store, by, verdict, own, told_dt, load_dt)
        is_by_record = found.dataset.refuse == "record" and verdict.loaded
        is_kept = is_by_record or not verdict.invalid
        if verdict.is_unreadable or not is_kept:
            verdict.loaded = 0
            raise psycopg.Rollback(saved)
        _enter(conn, found, by, own, refused, load_dt)
    _conclude(conn, store, verdict)
    return verdict


def judge_refused_records(
    conn: Connection, store: Store, found: File
) -> tuple[Verdict, list[int]]:
    """Judge the refused records of a file that is staged, by today's schema.

    :return: also the offsets of those that are accepted now
    """
    by = judge_of(found.dataset.schema)
    verdict, accepted = Verdict(found), []
    feed = found.dataset.feed
    rows = conn.execute(
        "SELECT r.kafka_offset, r.kafka_offset - f.from_offset + 1,"
        " (SELECT s.message FROM stg.messages(r.topic, 0, 0, r.kafka_offset,"
        " r.kafka_offset + 1) AS s)"
        " FROM stg.files AS f INNER JOIN stg.rejected_messages AS r"
        " ON r.topic = f.feed AND r.kafka_offset >= f.from_offset"
        " AND r.kafka_offset < f.to_offset"
        " WHERE f.import_id = %s AND r.reason = %s ORDER BY r.kafka_offset",
        (found.import_id, FileReason.INVALID_RECORD),
    ).fetchall()
    for offset, number, content in rows:
        if content is None:  # dropped from STG: what is known of it stays
            verdict.note(_known_problems(conn, found, number))
        elif not verdict.note(_problems(by, _record(number, content))):
            accepted.append(offset)
    verdict.loaded = found.records - verdict.invalid
    conn.execute(
        "DELETE FROM stg.rejected_messages WHERE topic = %s AND epoch = 0"
        " AND kafka_partition = 0 AND kafka_offset = ANY(%s)",
        (feed, accepted),
    )
    _conclude(conn, store, verdict)
    return verdict, accepted


def _record(number: int, content: bytes) -> Record:
    reading = Records(Form.JSON, _LIMITS, keep=True)
    (record,) = [*reading.feed(content), *reading.finish()]
    return replace(record, number=number)


def _problems(by: Judge, record: Record) -> list[Problem]:
    return [
        *by.problems(record.number, record.value),
        *numbers.problems(record.number, record.content),
    ]


def _known_problems(conn: Connection, found: File, number: int) -> list[Problem]:
    rows = conn.execute(
        "SELECT record_no, pointer, reason, detail FROM stg.file_problems"
        " WHERE import_id = %s AND record_no = %s ORDER BY problem_no",
        (found.import_id, number),
    ).fetchall()
    gone = Problem(number, "", "dropped", "the record is no longer in STG")
    return [Problem(*row) for row in rows] or [gone]


def _copy(
    conn: Connection,
    store: Store,
    by: Judge,
    verdict: Verdict,
    own: Range,
    told_dt: datetime,
    load_dt: datetime,
) -> list[Problem]:
    """Copy the records into STG; return the first problem of each invalid one."""
    found, digest, size = verdict.file, sha256(), 0
    reading = Records(found.form, _LIMITS, keep=True)
    refused: list[Problem] = []

    def take(records: list[Record], copy: Any) -> None:
        for one in records:
            problems = _problems(by, one)
            if verdict.note(problems):
                refused.append(problems[0])
            offset = own.start + one.number - 1
            position = (own.log.topic, own.log.epoch, own.log.partition, offset)
            copy.write_row((*position, told_dt, one.content, load_dt))

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
    except (ObjectMissingError, RefusedError, psycopg.errors.CheckViolation):
        # Other bytes than were let in may be no records, or more of them.
        return _unreadable(verdict)
    if (digest.digest(), size) != (found.sha256, found.bytes):
        return _unreadable(verdict)
    return refused


def _unreadable(verdict: Verdict) -> list[Problem]:
    verdict.is_unreadable = True
    verdict.invalid = 0
    verdict.problems = []
    return []


def _enter(
    conn: Connection,
    found: File,
    by: Judge,
    own: Range,
    refused: list[Problem],
    load_dt: datetime,
) -> None:
    """Enter which positions a file's records have, and those that are refused."""
    conn.execute(
        "INSERT INTO stg.files (import_id, feed, from_offset, to_offset,"
        " schema_digest, staged_dt) VALUES (%s, %s, %s, %s, %s, %s)",
        (
            *(found.import_id, own.log.topic, own.start, own.end),
            *(by.digest, load_dt),
        ),
    )
    if refused:
        conn.execute(
            "INSERT INTO stg.rejected_messages (topic, epoch, kafka_partition,"
            " kafka_offset, reason, detail, rejected_dt)"
            " SELECT %s, 0, 0, p.kafka_offset, %s, p.detail, %s"
            " FROM unnest(%s::bigint[], %s::text[]) AS p (kafka_offset, detail)",
            (
                *(own.log.topic, FileReason.INVALID_RECORD, load_dt),
                [own.start + one.record - 1 for one in refused],
                [f"{one.pointer or '(record)'}: {one.detail}" for one in refused],
            ),
        )
    if own.start < own.end:
        advance(conn, own.log.topic, [own], load_dt)


def _conclude(conn: Connection, store: Store, verdict: Verdict) -> None:
    """Enter the verdict: state, problems, event; begin or end the incident."""
    found = verdict.file
    number = found.judgements + 1
    conn.execute(
        "UPDATE ops.imports SET state = %s, loaded = %s, invalid = %s,"
        " judged_invalid = judged_invalid + %s, judgements = %s,"
        " finished_dt = clock_timestamp() WHERE import_id = %s",
        (
            *(verdict.state, verdict.loaded, verdict.invalid),
            *(verdict.invalid, number, found.import_id),
        ),
    )
    conn.execute(
        "DELETE FROM stg.file_problems WHERE import_id = %s", (found.import_id,)
    )
    _keep_problems(conn, verdict)
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
    if verdict.invalid:
        _tell(conn, store, verdict, number)


def _keep_problems(conn: Connection, verdict: Verdict) -> None:
    if not verdict.problems:
        return
    into = (
        "COPY stg.file_problems (import_id, problem_no, record_no, pointer, reason,"
        " detail) FROM STDIN"
    )
    with conn.cursor() as cursor, cursor.copy(into) as copy:
        for place, one in enumerate(verdict.problems, start=1):
            about = (one.record, one.pointer, one.reason, one.detail)
            copy.write_row((verdict.file.import_id, place, *about))


def _tell(conn: Connection, store: Store, verdict: Verdict, number: int) -> None:
    found = verdict.file
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
            "problems": [asdict(one) for one in verdict.problems[:_SHOWN]],
        },
    )

"""Imports: each delivery once, for ever, with the event that tells of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from palate.database import Connection
from palate.files import events
from palate.files.events import Event, stamp
from palate.files.records import Form
from palate.files.refusals import Place, Reason, RefusedError
from palate.names import HUB_KEY_NAMESPACE

# So many problems are in an import's state; the others are asked for.
PROBLEMS = 20

_COLUMNS = (
    "import_id, import_no, company, dataset, state, form, filename, sha256, bytes,"
    " records, loaded, invalid, object_key, reason, detail, record_no, byte_offset,"
    " line_no, received_dt, finished_dt"
)


@dataclass(frozen=True)
class Delivery:
    """A file that was received in whole.

    :param key: the sender's ``Idempotency-Key``; None: the content is the key
    :param object_key: where it is kept; None of a malformed file
    """

    company: str
    dataset: str
    key: str | None
    form: Form
    request_id: str
    filename: str | None
    sha256: bytes
    bytes: int
    records: int
    object_key: str | None = None
    etag: str | None = None
    url: str | None = None
    refusal: RefusedError | None = None

    @property
    def import_id(self) -> UUID:
        """Return its id: the same for a repeat, on any replica, whatever was lost."""
        return import_id(self.company, self.dataset, self.key, self.sha256)


@dataclass(frozen=True)
class Import:
    """An import, as it is known."""

    import_id: UUID
    number: int
    company: str
    dataset: str
    state: str
    form: str
    filename: str | None
    sha256: bytes
    bytes: int
    records: int
    loaded: int
    invalid: int
    object_key: str | None
    reason: str | None
    detail: str | None
    record: int | None
    offset: int | None
    line: int | None
    received: datetime
    finished: datetime | None

    def refusal(self) -> RefusedError | None:
        """Return why it was refused at the door, if it was."""
        if self.reason is None or self.state != "malformed":
            return None
        place = None
        if self.record is not None and self.offset is not None:
            place = Place(self.record, self.offset, self.line)
        return RefusedError(Reason(self.reason), self.detail or "", place)


def import_id(company: str, dataset: str, key: str | None, sha256: bytes) -> UUID:
    """Return the id of a delivery (contract_intake, section 4)."""
    identity = f"sha256:{sha256.hex()}" if key is None else f"key:{key}"
    return uuid5(HUB_KEY_NAMESPACE, f"{company}\n{dataset}\n{identity}")


def find(conn: Connection, company: str, number: UUID) -> Import | None:
    """Return a company's import."""
    row = conn.execute(
        f"SELECT {_COLUMNS} FROM ops.imports WHERE import_id = %s AND company = %s",
        (number, company),
    ).fetchone()
    return Import(*row) if row else None


def newest(
    conn: Connection,
    company: str,
    *,
    dataset: str | None,
    state: str | None,
    after: int | None,
    limit: int,
) -> list[Import]:
    """Return a company's imports, the newest first.

    :param after: the number of the last one that is known
    """
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM ops.imports WHERE company = %(company)s"
        " AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)"
        " AND (%(state)s::text IS NULL OR state = %(state)s)"
        " AND (%(after)s::bigint IS NULL OR import_no < %(after)s)"
        " ORDER BY import_no DESC LIMIT %(limit)s",
        {
            "company": company,
            "dataset": dataset,
            "state": state,
            "after": after,
            "limit": limit,
        },
    )
    return [Import(*row) for row in rows]


def enter(conn: Connection, new: Delivery) -> tuple[Import, bool]:
    """Enter a delivery and its event in one transaction; return whether it is new.

    :raises RefusedError: if its key came with another content before
    """
    with conn.transaction():
        # From the event's number to the commit: so events have the order of commits.
        events.lock(conn, new.company)
        row = conn.execute(
            "INSERT INTO ops.imports (import_id, company, dataset, state, form,"
            " request_id, filename, sha256, bytes, records, object_key, etag,"
            " reason, detail, record_no, byte_offset, line_no, finished_dt)"
            " VALUES (%(import_id)s, %(company)s, %(dataset)s, %(state)s, %(form)s,"
            " %(request_id)s, %(filename)s, %(sha256)s, %(bytes)s, %(records)s,"
            " %(object_key)s, %(etag)s, %(reason)s, %(detail)s, %(record)s,"
            " %(offset)s, %(line)s,"
            " CASE WHEN %(state)s = 'malformed' THEN clock_timestamp() END)"
            f" ON CONFLICT (import_id) DO NOTHING RETURNING {_COLUMNS}",
            _values(new),
        ).fetchone()
        if row is not None:
            found = Import(*row)
            _enter_event(conn, new, found)
            return found, True
    known = find(conn, new.company, new.import_id)
    if known is None:
        message = f"import {new.import_id} is there and can't be read"
        raise LookupError(message)
    refuse_other_content(known, new.sha256)
    return known, False


def refuse_other_content(known: Import, sha256: bytes) -> None:
    """Refuse a delivery whose key came with another content before.

    :raises RefusedError: if it did
    """
    if known.sha256 != sha256:
        detail = (
            "This Idempotency-Key came with another content before. A new file, also a "
            "corrected one, needs a new key, or none."
        )
        raise RefusedError(Reason.KEY_REUSED, detail)


def as_answers(
    conn: Connection, found: list[Import], *, is_repeated: bool = False
) -> list[dict[str, Any]]:
    """Return imports' states, for who sent them (contract_intake, section 6)."""
    told: dict[UUID, dict[str, str]] = {one.import_id: {} for one in found}
    for number, event, is_sent in conn.execute(
        "SELECT import_id, event, bool_and(sent_dt IS NOT NULL) FROM ops.event_outbox"
        " WHERE import_id = ANY(%s) GROUP BY import_id, event ORDER BY event",
        (list(told),),
    ):
        told[number][event] = "sent" if is_sent else "waiting"
    wrong: dict[UUID, list[dict[str, Any]]] = {one.import_id: [] for one in found}
    for number, *problem in conn.execute(
        "SELECT i.import_id, p.record_no, p.pointer, p.reason, p.detail"
        " FROM unnest(%s::uuid[]) AS i (import_id) CROSS JOIN LATERAL"
        " (SELECT * FROM stg.file_problems AS p WHERE p.import_id = i.import_id"
        " ORDER BY p.problem_no LIMIT %s) AS p ORDER BY p.problem_no",
        (list(wrong), PROBLEMS),
    ):
        wrong[number].append(_as_problem(problem))
    return [
        _as_answer(one, told[one.import_id], wrong[one.import_id], is_repeated)
        for one in found
    ]


def problems_of(
    conn: Connection, number: UUID, *, limit: int, after: int = 0
) -> list[dict[str, Any]]:
    """Return what is wrong with an import's records, in order.

    :param after: how many to leave out
    """
    rows = conn.execute(
        "SELECT record_no, pointer, reason, detail FROM stg.file_problems"
        " WHERE import_id = %s AND problem_no > %s ORDER BY problem_no LIMIT %s",
        (number, after, limit),
    )
    return [_as_problem(row) for row in rows]


def _as_problem(row: Iterable[Any]) -> dict[str, Any]:
    names = ("record", "pointer", "reason", "detail")
    return dict(zip(names, row, strict=True))


def _as_answer(
    found: Import,
    events: dict[str, str],
    problems: list[dict[str, Any]],
    is_repeated: bool,
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "import_id": str(found.import_id),
        "company": found.company,
        "dataset": found.dataset,
        "state": found.state,
        "repeated": is_repeated,
        "received": stamp(found.received),
        "finished": found.finished and stamp(found.finished),
        "filename": found.filename,
        "sha256": found.sha256.hex(),
        "bytes": found.bytes,
        "records": found.records,
        "loaded": found.loaded,
        "invalid": found.invalid,
        "problems": problems,
        "events": events,
    }
    if found.reason:
        answer |= {
            "reason": found.reason,
            "detail": found.detail,
            "record": found.record,
            "offset": found.offset,
            "line": found.line,
        }
    return answer


def _values(new: Delivery) -> dict[str, Any]:
    why = new.refusal
    place = why.place if why else None
    return {
        "import_id": new.import_id,
        "company": new.company,
        "dataset": new.dataset,
        "state": "malformed" if why else "received",
        "form": new.form,
        "request_id": new.request_id,
        "filename": new.filename,
        "sha256": new.sha256,
        "bytes": new.bytes,
        "records": new.records,
        "object_key": new.object_key,
        "etag": new.etag,
        "reason": why and why.reason,
        "detail": why and why.detail,
        "record": place and place.record,
        "offset": place and place.offset,
        "line": place and place.line,
    }


def _enter_event(conn: Connection, new: Delivery, found: Import) -> None:
    values: dict[str, Any] = {
        "import_id": str(found.import_id),
        "request_id": new.request_id,
        "company": new.company,
        "dataset": new.dataset,
        "filename": new.filename,
        "received": stamp(found.received),
    }
    about = {
        "sha256": new.sha256.hex(),
        "bytes": new.bytes,
        "form": new.form.value,
    }
    event = Event.SUCCESS
    if new.refusal is None:
        values |= {"url": new.url, "etag": new.etag} | about | {"records": new.records}
    else:
        event, place = Event.ERROR, new.refusal.place
        values |= about | {
            "reason": new.refusal.reason.value,
            "detail": new.refusal.detail,
            "record": place and place.record,
            "offset": place and place.offset,
        }
    events.enter(conn, event, f"{found.import_id}/{event}", values)

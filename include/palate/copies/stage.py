"""The stage of a copy: what a mart has changed goes to the other database.

A batch is a transaction there: its rows, and the watermark that says so. The warehouse
commits first what the batch is; after that only the other commit counts, and the next
run sees by the watermark whether it happened.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from palate import incidents
from palate.clients import OtherDatabase
from palate.copies import watermark
from palate.copies.copy_sql import CopySql
from palate.copies.tables import mart_columns, prepare
from palate.database import Connection
from palate.engine import Caller, Outcome, StageRun, open_run
from palate.errors import NotFoundError, PalateError, SettingsError, StageBusyError
from palate.incidents import Kind
from palate.marts import Mart, load_marts
from palate.settings import Settings

log = logging.getLogger(__name__)


def run(settings: Settings, name: str, caller: Caller) -> Outcome:
    """Write to a mart's copy what has changed since it was written last.

    The first run, and one that finds another history there, compares all rows. A
    repeat has nothing to do: the copy says itself what it has.

    :raises SettingsError: if the copy has no address
    :raises ServiceUnavailableError: if its database does not answer; once that lasts,
        it is an incident
    """
    mart = load_marts().get(name)
    if mart is None or mart.copied_to is None:
        message = f"sql/areas/*/cdm/{name} names no copy any more: nothing is copied."
        raise NotFoundError(message)
    address, variable = mart.copied_to.address(settings), mart.copied_to.variable
    if not address:
        message = f"{variable} is not set, so there is no copy of {name}."
        raise SettingsError(message)
    with open_run(settings, mart.copy_stage, caller) as attempt:
        if not watermark.taken(attempt.conn, mart, None).is_logged:
            attempt.outcome.note = f"{name} is copied once it has all of its history."
            return attempt.outcome
        with (
            _watched(settings, attempt.conn, mart),
            OtherDatabase(address, variable) as other,
        ):
            sql = CopySql(mart, mart_columns(attempt.conn, mart))
            prepare(attempt.conn, other, sql)
            while _take(settings, attempt, other, sql):
                pass
        return attempt.outcome


def _take(
    settings: Settings, attempt: StageRun, other: OtherDatabase, sql: CopySql
) -> bool:
    """Write one batch; return whether there was anything to write."""
    mart, conn = sql.mart, attempt.conn
    counts: Counter[str] = Counter()
    with other.transaction():
        token = _lock(other, sql)
        with _snapshot(attempt) as load_dt:
            # Not before the lock: a run that has lost its own may have committed there.
            since = watermark.taken(conn, mart, token).since
            most = settings.palate_chunk_positions
            begun = watermark.next_batch(conn, mart, token, since, most)
            if begun is None:
                watermark.settle(conn, mart, token, since or 0)
                return False
            batch_token, until = begun
            _send(conn, other, sql, since, until)
        counts.update(_apply(other, sql, is_whole=since is None))
        values = {"mart": mart.name, "token": batch_token, "until": until}
        moved = sql.shared("move_watermark")
        other.execute(moved, values | {"load_dt": load_dt})
    with attempt.batch([], has_ranges=False) as batch:
        counts["changes"] = watermark.settle(conn, mart, batch_token, until)
        batch.counts.update(counts)
    return True


@contextmanager
def _snapshot(attempt: StageRun) -> Iterator[datetime]:
    """Open a transaction that sees one moment: the log, and the rows it names."""
    attempt.conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with attempt.transaction() as load_dt:
            yield load_dt
    finally:
        attempt.conn.isolation_level = None


def _lock(other: OtherDatabase, sql: CopySql) -> UUID | None:
    values = {"mart": sql.mart.name}
    row = other.execute(sql.shared("lock_watermark"), values).fetchone()
    if row is None:
        message = f"The row of {sql.mart.name} in {sql.schema}.watermarks has gone."
        raise StageBusyError(f"{message} The next run makes it anew.")
    found: UUID | None = row[0]
    return found


def _send(
    conn: Connection, other: OtherDatabase, sql: CopySql, since: int | None, until: int
) -> None:
    """Send the rows of a batch, and their keys: a key without a row has none left."""
    values = {"mart": sql.mart.name, "since": since, "until": until}
    other.execute(sql.shared("make_incoming"))
    if since is not None:
        other.execute(sql.shared("make_incoming_keys"))
        other.write(sql.keys_in(), _blocks(conn, sql.keys_out(), values))
        other.execute("ANALYZE incoming_keys")
    rows = sql.rows_out(is_whole=since is None)
    other.write(sql.rows_in(), _blocks(conn, rows, values))
    other.execute("ANALYZE incoming")


def _blocks(conn: Connection, statement: str, values: dict[str, Any]) -> Iterator[Any]:
    with conn.cursor() as cursor, cursor.copy(statement, values) as copy:
        yield from copy


def _apply(other: OtherDatabase, sql: CopySql, *, is_whole: bool) -> dict[str, int]:
    deleted = other.execute(sql.shared("delete", is_whole=is_whole)).rowcount
    written = other.execute(sql.shared("write")).rowcount
    return {"deleted": deleted, "written": written}


@contextmanager
def _watched(settings: Settings, conn: Connection, mart: Mart) -> Iterator[None]:
    """Keep the incident of a copy that fails for longer than the promise."""
    try:
        yield
    except PalateError as error:
        _note_failure(settings, conn, mart, error)
        raise
    conn.execute(
        "UPDATE ops.mart_copies SET failing_dt = NULL"
        " WHERE mart = %s AND failing_dt IS NOT NULL",
        (mart.name,),
    )
    incidents.end(conn, Kind.COPY, mart.copy_stage)


def _note_failure(
    settings: Settings, conn: Connection, mart: Mart, error: PalateError
) -> None:
    patience = timedelta(seconds=settings.palate_freshness_seconds)
    try:
        row = conn.execute(
            "UPDATE ops.mart_copies"
            " SET failing_dt = coalesce(failing_dt, clock_timestamp())"
            " WHERE mart = %s RETURNING clock_timestamp() - failing_dt >= %s",
            (mart.name, patience),
        ).fetchone()
        is_lasting = bool(row and row[0]) or not error.is_worth_retrying
        if is_lasting:
            message = f"The copy of {mart.name} is behind. {error}"
            incidents.begin(conn, Kind.COPY, mart.copy_stage, message)
    except psycopg.Error as lost:
        log.warning("That it fails could not be noted: %s.", type(lost).__name__)

"""The checks of the whole warehouse, each in one snapshot, beside live loading.

Being behind is not wrong: rows and watermarks commit together, so a snapshot shows how
far a mart is, how far the vault is, and which positions lie between. What these may
change is left out (ADR 0017). It locks nothing that a stage writes.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from palate import copies, readable, tags
from palate.check_definitions import Check
from palate.checks.results import CheckReport, Result, keep, log_result, result_of
from palate.checks.subjects import TAGS, planned, query
from palate.counted import counted
from palate.database import Connection, connect
from palate.engine import Caller
from palate.landing import retention
from palate.marts import compare, kept_totals
from palate.monitoring import freshness
from palate.names import DICTIONARY_FEED, EXAMPLES
from palate.positions import (
    FeedPartition,
    Range,
    messages,
    open_ranges,
    watermarks,
)
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.sql import count_rows
from palate.vault import load_vault

# For a rebuild, or a drop of a partition: it must not queue behind a check for long.
_LOCK_TIMEOUT = "5s"
_SECONDS_BETWEEN_TRIES = 1.0
# Groups whose rows follow from other tables by the very query that keeps them.
_COMPARED = ("marts", "totals", "tags", "copies")


def check_warehouse(
    settings: Settings, caller: Caller, names: Iterable[str] = ()
) -> CheckReport:
    """Run the checks of these names, or all; fail if a rule that must hold is broken.

    The rows stay in the log and in ``ops.check_results``, which is pruned: Airflow
    keeps what is returned here.

    :raises CheckFailedError: once all are done
    """
    report = run_checks(settings, caller, names)
    report.check()
    return CheckReport([replace(one, examples=[]) for one in report.results])


def run_checks(
    settings: Settings, caller: Caller, names: Iterable[str] = ()
) -> CheckReport:
    """Run the checks of these names, or all; log and record each result.

    :raises NotFoundError: if there is no such check
    """
    results = []
    with _opened(settings) as run:
        conn = run.conn
        being_filled = _being_filled(conn)
        for check, subject in planned(settings, names):
            if subject in being_filled:
                note = "It is being filled from the history."
                result = result_of(check, subject, 0.0, note=note, is_skipped=True)
            else:
                result = _check(run, check, subject)
            log_result(result)
            with conn.transaction():
                keep(conn, caller, result)
            results.append(result)
    return CheckReport(results)


def reconcile(settings: Settings) -> list[Result]:
    """Compare marts with the vault, copies with marts, tags with both; record nothing.

    :raises DefinitionError: if a mart has something twice
    """
    results = []
    with _opened(settings) as run:
        for check, subject in planned(settings):
            if check.group not in _COMPARED:
                continue
            result = _check(run, check, subject)
            if check.group == "marts":
                compare.refuse_found(_name(subject), result.examples)
            results.append(result)
    return results


@dataclass(frozen=True)
class _Run:
    """The session of a call, and the areas that it checks."""

    conn: Connection
    settings: Settings
    areas: tuple[Area, ...]

    @property
    def names(self) -> list[str]:
        return sorted(area.name for area in self.areas)


@contextmanager
def _opened(settings: Settings) -> Iterator[_Run]:
    with connect(settings) as conn:
        yield _Run(conn, settings, tuple(readable.areas(settings)))


def _name(subject: str) -> str:
    """Return the name of a table or mart, without its schema."""
    return subject.partition(".")[2]


def _being_filled(conn: Connection) -> set[str]:
    rows = conn.execute(
        "SELECT 'dds.' || name FROM ops.definitions"
        " WHERE kind <> 'mart' AND filled_dt IS NULL"
    )
    return {name for (name,) in rows}


def _check(run: _Run, check: Check, subject: str) -> Result:
    if check.group == "copies":
        return _check_copy(run, check, subject)
    if not check.is_by_piece:
        return _check_at_once(run, check, subject)
    logs = [messages.whole(log) for log in _staged(run, check)]
    parts = [
        _check_at_once(run, check, subject, piece)
        for piece in messages.pieces(run.conn, logs)
    ]
    return result_of(
        check,
        subject,
        sum(part.seconds for part in parts),
        sum(part.found for part in parts),
        [row for part in parts for row in part.examples][:EXAMPLES],
        next((part.note for part in parts if part.note), ""),
        is_skipped=any(part.is_skipped for part in parts),
    )


def _check_copy(run: _Run, check: Check, subject: str) -> Result:
    start = time.monotonic()
    found = copies.compare.differences(run.settings, run.conn, _name(subject))
    return result_of(
        check,
        subject,
        time.monotonic() - start,
        found.number,
        found.examples,
        found.why_not,
        is_skipped=bool(found.why_not),
    )


def _check_at_once(
    run: _Run, check: Check, subject: str, piece: Range | None = None
) -> Result:
    """Retry until a snapshot can be compared, for at most ``PALATE_LOCK_WAIT``.

    Waiting positions may change nothing: on the first try, being equal is enough.
    """
    conn, settings = run.conn, run.settings
    start = time.monotonic()
    is_first = True
    while True:
        try:
            with _snapshot(conn, check.group, subject):
                why_not, is_behind = _behind(conn, settings, check.group, subject)
                if is_first or not why_not:
                    leaves_out = is_behind and not why_not
                    statement = query(check, subject, run.names, is_behind=leaves_out)
                    values = _values(run)
                    if piece is not None:
                        values |= messages.values_of(piece)
                    found, examples = count_rows(conn, statement, values, EXAMPLES)
                    seconds = time.monotonic() - start
                    note = "What is not counted yet was left out." if leaves_out else ""
                    if not why_not or not found:
                        return result_of(check, subject, seconds, found, examples, note)
                is_first = False
        except psycopg.errors.LockNotAvailable:
            why_not = "It is being rebuilt."
        seconds = time.monotonic() - start
        if seconds >= settings.palate_lock_wait:
            return result_of(check, subject, seconds, note=why_not, is_skipped=True)
        time.sleep(_SECONDS_BETWEEN_TRIES)


@contextmanager
def _snapshot(conn: Connection, group: str, subject: str) -> Iterator[None]:
    """Open a transaction that sees one moment; what it creates is rolled back."""
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with conn.transaction(force_rollback=True):
            # Before the first query: a snapshot sees nothing in a table that is emptied
            # or dropped after it.
            conn.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            tables = ", ".join(_read_whole(group, subject))
            conn.execute(f"LOCK TABLE {tables} IN ACCESS SHARE MODE")
            yield
    finally:
        conn.isolation_level = None


def _read_whole(group: str, subject: str) -> list[str]:
    if group not in _COMPARED:
        return ["ONLY stg.order_events"]  # the lock that a drop of a partition takes
    marts = (
        tags.marts().values() if group == "tags" else [readable.marts()[_name(subject)]]
    )
    return [f"cdm.{table}" for mart in marts for table in mart.tables]


def _behind(
    conn: Connection, settings: Settings, group: str, subject: str
) -> tuple[str, bool]:
    """Return why a subject can't be compared now, and whether it is behind.

    Orders on their way affect few guests, who are left out; dictionary entries and
    changed rules may affect any.
    """
    if subject == TAGS:
        if tags.rules_pending(conn):
            return "Changed rules are not taken up yet.", True
        return "", tags.has_pending(conn)
    if group == "totals":
        # They move with their mart, however much that has not counted yet.
        if kept_totals.are_doubtful(conn, _name(subject)):
            return "They are summed anew at the end of the mart's run.", False
        return "", False
    if group != "marts":
        return "", False
    mart = readable.marts()[_name(subject)]
    waiting = open_ranges(conn, mart.stage, [mart.upstream])
    if any(item.log.topic == DICTIONARY_FEED for item in waiting):
        return "Entries of dictionaries are not counted yet.", True
    number = sum(len(item) for item in waiting)
    if number > settings.palate_chunk_positions:
        return f"It has not counted {counted(number, 'position')} yet.", True
    if waiting:
        compare.gather(conn, settings, mart.name, waiting)
    return "", bool(waiting)


def _values(run: _Run) -> dict[str, Any]:
    conn, settings = run.conn, run.settings
    (now,) = conn.execute("SELECT clock_timestamp()").fetchone() or (None,)
    return tags.VALUES | {
        "now": now,
        "promised_dt": now - timedelta(seconds=settings.palate_freshness_seconds),
        "drains": [area.drain for area in run.areas],
        "promised_dts": Jsonb(_promised(run, now)),
        "asleep_dt": now - timedelta(seconds=freshness.ASLEEP_SECONDS),
        "day_dt": now - timedelta(days=1),
        "week_dt": now - timedelta(days=8),
        "refused_share": settings.palate_refused_share,
        "refused_least": settings.palate_refused_least,
        "many_partitions": retention.MANY_PARTITIONS,
        "tables": ["messages", *_vault_tables(run.names)],
    }


def _vault_tables(areas: Iterable[str]) -> set[str]:
    return {table for area in areas for table in load_vault(area).tables}


def _promised(run: _Run, now: datetime) -> dict[str, str]:
    """Return for each topic since when no message of it may wait."""
    found = {}
    for area in run.areas:
        promised = now - timedelta(seconds=freshness.promised(run.settings, area))
        prompt = catalog.prompt_topics(run.settings, area)
        for topic in catalog.topics(run.settings, area):
            found[topic] = promised.isoformat() if topic in prompt else "-infinity"
    return found


def _staged(run: _Run, check: Check) -> set[FeedPartition]:
    """Return the logs that a check by piece reads: those of its area, or of all."""
    return {
        log
        for area in run.areas
        if check.area in (None, area.name)
        for log in watermarks(run.conn, area.drain)
    }

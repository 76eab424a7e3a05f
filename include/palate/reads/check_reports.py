"""What the checks have found: last, and on each of the last days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from palate import checks
from palate.check_definitions import Check, Severity, load_checks
from palate.database import Connection
from palate.errors import NotFoundError
from palate.settings import Settings

DAYS = 30
PAGE = 50

# One row for each check and what it is about, whether or not it has ever run.
_ASKED = "unnest(%(checks)s::text[], %(subjects)s::text[]) AS w (check_name, subject)"
_RESULT = (
    "r.check_result_id, r.subject, r.severity, r.outcome, r.found, r.note,"
    " r.seconds::float8, r.checked_dt, r.dag_id, r.run_id"
)
_OF = "r.check_name = w.check_name AND r.subject = w.subject"
# The worst of a day is the day's.
_OUTCOMES = ("found", "skipped", "passed")


@dataclass(frozen=True)
class CheckResult:
    """What a check found in one table, mart, or the whole warehouse.

    ``outcome`` is ``passed``, ``found`` or ``skipped``; ``found`` rows broke the rule,
    ``note`` says why nothing could be compared, or what was left out.
    """

    check_result_id: int
    subject: str
    severity: str
    outcome: str
    found: int
    note: str
    seconds: float
    checked_dt: datetime
    dag_id: str
    run_id: str


@dataclass(frozen=True)
class CheckDay:
    """A day in UTC: its worst outcome, ``none`` if nothing was checked."""

    day: date
    outcome: str


@dataclass(frozen=True)
class CheckedSubject:
    """What a check is about: its last result, None if there is none, and its days."""

    subject: str
    last: CheckResult | None
    days: list[CheckDay]


@dataclass(frozen=True)
class CheckSeen:
    """A check; ``severity`` is ``fail``, or ``warn`` for what raises no alarm."""

    name: str
    rule: str
    severity: str
    subjects: list[CheckedSubject]

    @property
    def found(self) -> int:
        """Return how many rows broke the rule when it was checked last."""
        return sum(one.last.found for one in self.subjects if one.last)

    @property
    def outcome(self) -> str:
        """Return the worst of the last outcomes; ``none`` if it never ran."""
        return _worst(
            [one.last.outcome if one.last else "none" for one in self.subjects]
        )

    @property
    def checked_dt(self) -> datetime | None:
        """Return when any of it was checked last."""
        return max(
            (one.last.checked_dt for one in self.subjects if one.last), default=None
        )

    @property
    def days(self) -> list[CheckDay]:
        """Return the worst outcome of each day."""
        return [
            CheckDay(same[0].day, _worst([one.outcome for one in same]))
            for same in zip(*(one.days for one in self.subjects), strict=True)
        ]


@dataclass(frozen=True)
class Checks:
    """Every check that runs here, those that found rows first."""

    checks: list[CheckSeen]


@dataclass(frozen=True)
class CheckHistory:
    """One check, and its results that were not ``passed``, the newest first.

    ``older`` is the id that the next page begins before, or None.
    """

    check: CheckSeen
    results: list[CheckResult]
    older: int | None


@dataclass(frozen=True)
class CheckRows:
    """One result with the first of the rows that broke the rule.

    They may be personal data.
    """

    check: str
    rule: str
    result: CheckResult
    rows: list[dict[str, Any]]


def checked(conn: Connection, settings: Settings, names: Sequence[str] = ()) -> Checks:
    """Return the checks of these names, or all, with their last results.

    :raises NotFoundError: if there is no such check
    """
    found = _seen(conn, checks.planned(settings, names))
    return Checks(sorted(found, key=_urgency))


def check_history(
    conn: Connection,
    settings: Settings,
    name: str,
    before: int | None = None,
    limit: int = PAGE,
) -> CheckHistory:
    """Return one check, and what it found or could not compare.

    :param before: only results with a smaller id
    :raises NotFoundError: if there is no such check
    """
    (check,) = _seen(conn, checks.planned(settings, [name]))
    rows = conn.execute(
        f"SELECT {_RESULT} FROM ops.check_results AS r WHERE r.check_name = %(name)s"
        " AND r.outcome <> 'passed'"
        " AND (%(before)s::bigint IS NULL OR r.check_result_id < %(before)s)"
        " ORDER BY r.check_result_id DESC LIMIT %(limit)s",
        {"name": name, "before": before, "limit": limit + 1},
    ).fetchall()
    results = [CheckResult(*row) for row in rows[:limit]]
    older = results[-1].check_result_id if len(rows) > limit else None
    return CheckHistory(check, results, older)


def check_rows(conn: Connection, check_result_id: int) -> CheckRows:
    """Return one result with the rows that were kept of it.

    :raises NotFoundError: if there is no such result
    """
    row = conn.execute(
        f"SELECT {_RESULT}, r.check_name, r.examples FROM ops.check_results AS r"
        " WHERE r.check_result_id = %s",
        (check_result_id,),
    ).fetchone()
    if row is None:
        message = (
            f"There is no result {check_result_id} of a check. Results are kept as "
            "long as the ledger."
        )
        raise NotFoundError(message)
    *result, name, examples = row
    rules = {one.full_name: one.rule for one in load_checks()}
    return CheckRows(name, rules.get(name, ""), CheckResult(*result), examples)


def _seen(conn: Connection, planned: Sequence[tuple[Check, str]]) -> list[CheckSeen]:
    asked = {
        "checks": [check.full_name for check, _ in planned],
        "subjects": [subject for _, subject in planned],
    }
    last = {
        (name, row[1]): CheckResult(*row)
        for name, *row in conn.execute(
            f"SELECT w.check_name, {_RESULT} FROM {_ASKED} CROSS JOIN LATERAL ("
            f"SELECT * FROM ops.check_results AS r WHERE {_OF}"
            " ORDER BY r.checked_dt DESC LIMIT 1) AS r",
            asked,
        )
    }
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    outcomes: dict[tuple[str, str, date], list[str]] = {}
    for name, subject, day, outcome in conn.execute(
        "SELECT DISTINCT w.check_name, w.subject,"
        f" (r.checked_dt AT TIME ZONE 'UTC')::date, r.outcome FROM {_ASKED}"
        f" CROSS JOIN LATERAL (SELECT r.checked_dt, r.outcome"
        f" FROM ops.check_results AS r WHERE {_OF} AND r.checked_dt >= %(since)s) AS r",
        asked | {"since": datetime.combine(days[0], datetime.min.time(), UTC)},
    ):
        outcomes.setdefault((name, subject, day), []).append(outcome)
    found: dict[str, CheckSeen] = {}
    for check, subject in planned:
        name = check.full_name
        seen = found.setdefault(
            name, CheckSeen(name, check.rule, str(check.severity), [])
        )
        seen.subjects.append(
            CheckedSubject(
                subject,
                last.get((name, subject)),
                [
                    CheckDay(day, _worst(outcomes.get((name, subject, day), [])))
                    for day in days
                ],
            )
        )
    return list(found.values())


def _urgency(check: CheckSeen) -> int:
    if check.outcome == "found":
        return 0 if check.severity == Severity.FAIL else 1
    return 2 if check.outcome == "skipped" else 3


def _worst(outcomes: Sequence[str]) -> str:
    return next((one for one in _OUTCOMES if one in outcomes), "none")

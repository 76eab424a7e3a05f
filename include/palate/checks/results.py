"""What the checks found: logged, and kept with its incident."""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from psycopg.types.json import Jsonb

from palate import incidents
from palate.check_definitions import Check, Severity
from palate.counted import counted
from palate.database import Connection
from palate.engine import Caller
from palate.errors import CheckFailedError
from palate.incidents import Kind
from palate.text import row_as_text

log = logging.getLogger(__name__)

_as_json = partial(json.dumps, default=str)


@dataclass(frozen=True)
class Result:
    """What one check found in one table, mart, or the whole warehouse.

    ``found`` rows break the rule, ``examples`` are the first of them; ``note`` says why
    nothing could be compared, or what was left out.
    """

    check: str
    subject: str
    rule: str
    severity: Severity
    found: int
    examples: list[dict[str, Any]]
    seconds: float
    note: str = ""
    is_skipped: bool = False

    @property
    def outcome(self) -> str:
        """Return ``passed``, ``found`` or ``skipped``."""
        if self.is_skipped:
            return "skipped"
        return "found" if self.found else "passed"

    @property
    def has_failed(self) -> bool:
        """Return whether rows break a rule that must hold."""
        return self.found > 0 and self.severity is Severity.FAIL

    def __str__(self) -> str:
        """Return one line for the task's log."""
        breaking = counted(self.found, "row breaks it", "rows break it")
        found = breaking if self.found else self.outcome
        note = f" {self.note}" if self.note else ""
        return f"{self.check} {self.subject}: {found} ({self.seconds:.1f} s).{note}"


@dataclass(frozen=True)
class CheckReport:
    """What the checks of one run found."""

    results: list[Result]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for XCom and for JSON."""
        results = [asdict(one) | {"outcome": one.outcome} for one in self.results]
        return {"results": json.loads(_as_json(results))}

    def check(self) -> None:
        """Raise if a rule that must hold is broken.

        :raises CheckFailedError: names the checks
        """
        failed = [one for one in self.results if one.has_failed]
        if failed:
            names = ", ".join(f"{one.check} {one.subject}" for one in failed)
            message = (
                f"Rows break what must hold: {names}. Some of them are above and in "
                "ops.check_results; see docs/operations.md, 'A check found rows'."
            )
            raise CheckFailedError(message)


def result_of(
    check: Check,
    subject: str,
    seconds: float,
    found: int = 0,
    examples: Iterable[dict[str, Any]] = (),
    note: str = "",
    *,
    is_skipped: bool = False,
) -> Result:
    """Return what a check found in one subject."""
    return Result(
        check=check.full_name,
        subject=subject,
        rule=check.rule,
        severity=check.severity,
        found=found,
        examples=list(examples),
        seconds=round(seconds, 3),
        note=note,
        is_skipped=is_skipped,
    )


def log_result(result: Result) -> None:
    """Log a result with its examples: what is well as information only."""
    level = logging.INFO
    if result.found or result.is_skipped:
        level = logging.ERROR if result.has_failed else logging.WARNING
    log.log(level, "%s", result)
    if result.found:
        log.log(level, "The rule: %s", result.rule)
    for row in result.examples:
        log.log(level, "  %s", row_as_text(row))


def keep(conn: Connection, caller: Caller, result: Result) -> None:
    """Record the result, and open or end its incident."""
    conn.execute(
        "INSERT INTO ops.check_results (dag_id, run_id, check_name, subject, severity,"
        " outcome, found, examples, note, seconds)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            caller.dag_id,
            caller.run_id,
            result.check,
            result.subject,
            result.severity,
            result.outcome,
            result.found,
            Jsonb(result.examples, dumps=_as_json),
            result.note,
            result.seconds,
        ),
    )
    name = f"{result.check} {result.subject}"
    if result.has_failed:
        message = (
            f"{counted(result.found, 'row breaks', 'rows break')} what must hold: "
            f"{result.rule} `palate check {result.check}` shows some; see "
            "docs/operations.md, 'A check found rows'."
        )
        incidents.begin(conn, Kind.CHECK, name, message)
    elif not result.is_skipped:
        incidents.end(conn, Kind.CHECK, name)

"""The commands ``palate check`` and ``palate reconcile``."""

from dataclasses import asdict
from typing import Annotated

import typer

from palate import checks
from palate.check_definitions import load_checks
from palate.checks import Result
from palate.cli.output import AsJson, exit_on_error, out, print_json, print_table
from palate.counted import counted
from palate.database import connect
from palate.engine import Caller
from palate.errors import MartDifferenceError, StageBusyError
from palate.reads import reports
from palate.settings import load_settings
from palate.text import row_as_text


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Which, such as marts/equal_the_vault. Without: all."),
    ] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="Only list the checks.")
    ] = False,
    last: Annotated[
        bool, typer.Option("--last", help="Only show what each found last.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the warehouse: keys, marts, tags, positions, freshness, growth.

    Live loading goes on meanwhile. Exit with 17 if rows break a rule that must hold.
    """
    with exit_on_error():
        if list_them:
            _print_rules()
            return
        if last:
            _print_last(names or [], as_json)
            return
        report = checks.run_checks(
            load_settings(), Caller.in_shell("check"), names or []
        )
        if as_json:
            print_json(report.as_dict())
        else:
            _print_results(report.results)
        report.check()


def reconcile(as_json: AsJson = False) -> None:
    """Compare each mart with the vault, its copy with it, and the tags.

    Exits with 9 if one differs.

    Live loading goes on meanwhile. Exits with 7 if one can't be compared because too
    much waits for it.
    """
    with exit_on_error():
        results = checks.reconcile(load_settings())
        if as_json:
            print_json(
                {
                    _name(one): {
                        "differences": None if one.is_skipped else one.found,
                        "examples": one.examples,
                        "note": one.note,
                    }
                    for one in results
                }
            )
        else:
            for one in results:
                _print_comparison(one)
        if wrong := ", ".join(_name(one) for one in results if one.found):
            message = (
                f"{wrong} differ from what they follow from. See docs/operations.md, "
                "'A mart differs'."
            )
            raise MartDifferenceError(message)
        if skipped := [one for one in results if one.is_skipped]:
            message = (
                f"{', '.join(map(_name, skipped))} can't be compared now. Load what "
                "waits (`palate run`, or the DAGs), then try again."
            )
            raise StageBusyError(message)


def _name(result: Result) -> str:
    name = result.subject.partition(".")[2]
    what = {"totals": "totals of ", "copies": "copy of "}.get(_group(result), "")
    return f"{what}{name}"


def _group(result: Result) -> str:
    return result.check.partition("/")[0]


def _print_comparison(result: Result) -> None:
    name = _name(result)
    if result.is_skipped:
        out.print(f"{name}: not compared. {result.note}")
        return
    sources = {"tags": "counters and rules", "totals": "mart", "copies": "mart"}
    source = sources.get(_group(result), "vault")
    number = counted(result.found, "row differs", "rows differ")
    note = f" {result.note}" if result.note else ""
    out.print(f"{name}: {number} from the {source}.{note}")
    for row in result.examples:
        out.print(f"  {row_as_text(row)}")


def _print_rules() -> None:
    print_table(
        ("check", "severity", "what must hold"),
        [(one.full_name, one.severity, one.rule) for one in load_checks()],
    )


def _print_last(names: list[str], as_json: bool) -> None:
    settings = load_settings()
    with connect(settings) as conn:
        found = reports.checked(conn, settings, names)
    if as_json:
        print_json(asdict(found))
        return
    print_table(
        ("check", "about", "found", "checked", "by", "note"),
        [
            (one.name, about.subject, *_last(about.last))
            for one in found.checks
            for about in one.subjects
        ],
    )


def _last(result: reports.CheckResult | None) -> tuple[str, ...]:
    if result is None:
        return ("not checked yet", "-", "-", "")
    found = str(result.found) if result.found else result.outcome
    return (found, f"{result.checked_dt:%F %T}", result.run_id, result.note)


def _print_results(results: list[Result]) -> None:
    print_table(
        ("check", "about", "found", "seconds", "note"),
        [
            (
                one.check,
                one.subject,
                str(one.found) if one.found else one.outcome,
                f"{one.seconds:.1f}",
                one.note,
            )
            for one in results
        ],
    )

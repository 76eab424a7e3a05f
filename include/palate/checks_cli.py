"""The command ``palate check``."""

from typing import Annotated

import typer

from palate import checks
from palate.check_definitions import load_checks
from palate.checks import Result
from palate.settings import load_settings
from palate.shell import AsJson, print_json, print_table
from palate.stage import shell_caller
from palate.told import told


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Which, such as marts/equal_the_vault. Without: all."),
    ] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="Only tell which there are.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the warehouse: keys, marts, tags, positions, freshness, growth.

    Live loading goes on meanwhile. Exit with 17 if rows break what must hold.
    """
    with told():
        if list_them:
            _print_rules()
            return
        report = checks.look(load_settings(), shell_caller("check"), names or [])
        if as_json:
            print_json(report.as_dict())
        else:
            _print_results(report.results)
        report.check()


def _print_rules() -> None:
    print_table(
        ("check", "severity", "what must hold"),
        [(one.full_name, one.severity, one.rule) for one in load_checks()],
    )


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

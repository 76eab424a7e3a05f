"""The command ``palate check``."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from palate import checks
from palate.check_definitions import load_checks
from palate.checks import Result
from palate.settings import load_settings
from palate.stage import shell_caller
from palate.told import told

out = Console(highlight=False, markup=False, emoji=False)


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Which, such as marts/equal_the_vault. Without: all."),
    ] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="Only tell which there are.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for a program.")
    ] = False,
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
            print(json.dumps(report.as_dict()))
        else:
            _print_results(report.results)
        report.check()


def _print_rules() -> None:
    table = Table("check", "severity", "what must hold")
    for one in load_checks():
        table.add_row(Text(one.full_name), one.severity, Text(one.rule))
    out.print(table)


def _print_results(results: list[Result]) -> None:
    table = Table("check", "about", "found", "seconds", "note")
    for one in results:
        found = str(one.found) if one.found else one.outcome
        note = Text(one.note)
        table.add_row(one.check, one.subject, found, f"{one.seconds:.1f}", note)
    out.print(table)

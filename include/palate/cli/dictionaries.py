"""The command ``palate dictionaries``: read all entries again, or show one."""

from datetime import datetime
from typing import Annotated

import typer

from palate.cli.output import (
    AsJson,
    exit_on_error,
    out,
    print_json,
    print_outcome,
    print_table,
)
from palate.counted import counted
from palate.engine import Caller
from palate.landing import dictionaries
from palate.pipelines import follow_dictionaries, look_up_all
from palate.reads import entry
from palate.settings import load_settings
from palate.text import escape_controls

app = typer.Typer(help="Dictionary entries from Redis.", no_args_is_help=True)


@app.command()
def sync(as_json: AsJson = False) -> None:
    """Read every known id from Redis again, stage what changed, and load it."""
    with exit_on_error():
        settings = load_settings()
        outcomes = [look_up_all(settings, Caller.in_shell(dictionaries.STAGE))]
        for outcome in (*outcomes, *follow_dictionaries(settings)):
            print_outcome(outcome, as_json)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="The id of a guest or a restaurant.")],
    as_json: AsJson = False,
) -> None:
    """Show the versions of an entry, its names and menu, and its value in Redis now."""
    with exit_on_error():
        found = entry.find_entry(load_settings(), id)
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found)


def _print(found: entry.Entry) -> None:
    login = f", login {escape_controls(found.login)}" if found.login is not None else ""
    name = escape_controls(found.name) if found.name is not None else "(no name known)"
    out.print(f"{escape_controls(found.id)}: {found.kind} {name}{login}")
    out.print(f"Redis {found.redis}.")
    for one in found.waiting:
        out.print(
            f"Asked for again for {one['for']}: {one['problem']}; tried "
            f"{counted(one['tried_cnt'], 'time')}, next at {_time(one['next_try_dt'])}."
        )
    if not found.versions:
        out.print("No version is staged.")
        return
    print_table(
        ["version", "staged", "name", "login", "dishes"],
        [
            [
                _time(one.version_dt),
                _time(one.staged_dt),
                one.name,
                one.login or "",
                "" if one.dishes is None else str(one.dishes),
            ]
            for one in found.versions
        ],
    )
    if found.menu:
        print_table(
            ["dish", "name", "price", "category", "from", "until"],
            [
                [
                    one.product_id,
                    (one.product_name or "")
                    + ("" if one.is_on_menu else " (no longer on the menu)"),
                    "" if one.price is None else str(one.price),
                    "(none)" if one.category_name is None else one.category_name,
                    "the beginning" if one.from_dt is None else _time(one.from_dt),
                    "" if one.until_dt is None else _time(one.until_dt),
                ]
                for one in found.menu
            ],
        )


def _time(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds").removesuffix("+00:00")

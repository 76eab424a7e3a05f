"""The command ``palate drop``."""

from typing import Annotated

import typer

from palate.cli.output import AsJson, exit_on_error, out, print_json
from palate.errors import ApprovalNeededError
from palate.settings import load_settings


def drop(
    table: Annotated[
        str, typer.Argument(help="A mart, a satellite or a link, without its schema.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a table whose definition was removed, with all records of it.

    Lists first what will be dropped, and asks. Refuses with 23 while the definition's
    file is there, or something else needs the table; exits with 16 if nobody can be
    asked: with --json it never asks.
    """
    # Its imports take a third of the command's start.
    from palate.schema import drop as dropping

    with exit_on_error():
        settings = load_settings()
        found = dropping.plan(settings, table)
        if not as_json:
            for sentence in found.sentences:
                out.print(sentence)
        can_ask = out.is_terminal and not as_json
        if not yes and not (can_ask and typer.confirm(f"Drop {table}?")):
            message = f"Nothing was dropped. `palate drop {table} --yes` does it."
            raise ApprovalNeededError(message)
        gone = dropping.drop(settings, table)
        if as_json:
            print_json(gone.as_dict())
        else:
            out.print(f"Dropped {table}.")

"""The command ``palate intake``: the door for files, and who may send them."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from palate.cli.output import (
    AsJson,
    errors,
    exit_on_error,
    out,
    print_json,
    print_table,
)
from palate.counted import counted
from palate.database import connect
from palate.errors import NotFoundError, RequestError

app = typer.Typer(
    help="Files that partners send by HTTP: the service, and the tokens of companies.",
    no_args_is_help=True,
)
tokens_app = typer.Typer(
    help="Who may send: tokens of companies; each is shown once.", no_args_is_help=True
)
app.add_typer(tokens_app, name="tokens")


@app.command()
def serve() -> None:
    """Take files by HTTP, until a signal; several replicas may run."""
    intake, files = _wings()
    with exit_on_error():
        intake.serve.serve(files.IntakeSettings.loaded())


@app.command()
def prepare() -> None:
    """Make the bucket and the topics, if they are missing; `serve` does it, too."""
    intake, files = _wings()
    with exit_on_error():
        made = intake.serve.prepare(files.IntakeSettings.loaded())
        out.print(f"Made {', '.join(made)}." if made else "All is there.")


@app.command()
def send(
    file: Annotated[
        Path,
        typer.Argument(help="A .json, .ndjson or .jsonl, packed as .gz or not."),
    ],
    dataset: Annotated[str, typer.Option(help="What it is.")],
    url: Annotated[
        str, typer.Option(envvar="INTAKE_URL", help="The intake's address.")
    ],
    token: Annotated[
        str,
        typer.Option(envvar="INTAKE_TOKEN", help="Better by the environment."),
    ],
    key: Annotated[
        str | None,
        typer.Option(help="The delivery's Idempotency-Key; else the content is."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--for", min=0, help="Try again for so many seconds.")
    ] = 900,
    as_json: AsJson = False,
) -> None:
    """Send a file, with retries that are safe: it arrives once."""
    from rich.progress import Progress

    from palate.intake import client

    asked = client.Delivery(url, token, dataset, file, key)
    with exit_on_error():
        with Progress(console=errors, transient=True) as bar:
            size = file.stat().st_size if file.exists() else 0
            task = bar.add_task(f"{file.name}", total=size)
            found = client.send(
                asked,
                lambda sent: bar.update(task, completed=sent),
                lambda pause, why: errors.print(f"Again in {pause:g} s: {why}"),
                seconds,
            )
        if as_json:
            print_json(found)
            return
        came = "was there before" if found["repeated"] else "is kept"
        records = counted(found["records"], "record")
        out.print(f"{file.name} {came}, {records}: {found['state']}.")
        out.print(found["import_id"])


@tokens_app.command("add")
def add_token(
    company: Annotated[str, typer.Argument(help="Whose it is: a-z, 0-9 and -.")],
    dataset: Annotated[
        list[str], typer.Option(help="A dataset that it may send, or several.")
    ],
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="It expires after so many.")
    ] = None,
) -> None:
    """Make a token, and print it: nobody can show it again."""
    intake, files = _wings()
    with exit_on_error():
        known = files.datasets.datasets()
        unknown = sorted(set(dataset) - known.keys())
        if unknown:
            message = (
                f"There is no dataset {', '.join(unknown)}. There are: "
                f"{', '.join(known) or 'none'}."
            )
            raise RequestError(message)
        expires = datetime.now(UTC) + timedelta(days=days) if days else None
        with connect(files.IntakeSettings.loaded()) as conn:
            made = intake.tokens.add(conn, company, dataset, expires)
        typer.echo(made)


@tokens_app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """List the tokens, without their secrets."""
    intake, files = _wings()
    with exit_on_error():
        with connect(files.IntakeSettings.loaded()) as conn:
            found = intake.tokens.tokens(conn)
        if as_json:
            print_json([asdict(one) for one in found])
            return
        if not found:
            out.print("There are no tokens. `palate intake tokens add --help`")
            return
        rows = [
            (
                one.token_id,
                one.company,
                ", ".join(one.datasets),
                f"{one.made:%F %T}",
                f"{one.expires:%F %T}" if one.expires else "never",
                f"{one.revoked:%F %T}" if one.revoked else "",
            )
            for one in found
        ]
        heads = ("token", "company", "datasets", "made", "expires", "revoked")
        print_table(heads, rows)


@tokens_app.command("revoke")
def revoke_token(
    token_id: Annotated[str, typer.Argument(help="Its id, as `list` shows it.")],
) -> None:
    """Revoke a token, from the next request on."""
    intake, files = _wings()
    with exit_on_error():
        with connect(files.IntakeSettings.loaded()) as conn:
            if not intake.tokens.revoke(conn, token_id):
                message = (
                    f"There is no token {token_id} that is valid. "
                    "`palate intake tokens list` shows them."
                )
                raise NotFoundError(message)
        out.print(f"Revoked {token_id}.")


def _wings() -> tuple[ModuleType, ModuleType]:
    """Return the intake and the files; importing them takes longer than the others."""
    from palate import files, intake

    return intake, files

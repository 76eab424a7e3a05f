"""The command ``palate files``: files that were refused, and how long they are kept."""

from dataclasses import asdict
from types import ModuleType
from typing import Annotated

import typer

from palate.cli.output import (
    AsJson,
    DecidedBy,
    exit_on_error,
    out,
    print_json,
    print_outcome,
    print_table,
)
from palate.counted import counted
from palate.database import connect
from palate.decisions import current_user, required_text
from palate.engine import Caller
from palate.errors import NotFoundError, RequestError
from palate.pipelines import follow_replays
from palate.settings import Settings, load_settings
from palate.sources import Area, catalog

app = typer.Typer(
    help="Files that partners have sent: the refused ones, and the store.",
    no_args_is_help=True,
)

Imports = Annotated[
    list[str] | None, typer.Argument(metavar="[import_id]...", help="Only these.")
]
Dataset = Annotated[str | None, typer.Option(help="Only files of this dataset.")]
State = Annotated[
    str | None, typer.Option(help="Only `invalid`, `unreadable` or `partly_loaded`.")
]
Why = Annotated[
    str | None,
    typer.Option(help="Only with a record that breaks this keyword of the schema."),
]
All = Annotated[bool, typer.Option("--all", help="Allow a selection of everything.")]


@app.command("list")
def list_files(
    dataset: Dataset = None,
    state: State = None,
    reason: Why = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List files that were refused and not dismissed, the first received first."""
    files = _files()
    with exit_on_error():
        asked = files.replay.selection((), dataset, state, reason, limit)
        with connect(load_settings()) as conn:
            found = files.replay.refused(conn, asked)
        if as_json:
            print_json([asdict(one) for one in found])
            return
        heads = ("import", "company", "dataset", "received", "state", "records")
        print_table(
            (*heads, "invalid", "first problem"),
            [
                [
                    *(str(one.import_id), one.company, one.dataset),
                    *(f"{one.received:%F %T}", one.state, str(one.records)),
                    *(str(one.invalid), one.problem or ""),
                ]
                for one in found
            ],
        )


@app.command()
def replay(
    imports: Imports = None,
    dataset: Dataset = None,
    state: State = None,
    reason: Why = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most, the first received first.")
    ] = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Judge refused files again, by today's schema; load what is accepted."""
    files = _files()
    with exit_on_error():
        settings = load_settings()
        asked = files.replay.selection(imports or (), dataset, state, reason, limit)
        _check_meant(asked.is_everything, everything)
        area, caller = _area(settings), Caller.in_shell("files replay")
        for outcome in files.replay.run(settings, area, caller, asked):
            print_outcome(outcome, as_json)
        for outcome in follow_replays(settings):
            print_outcome(outcome, as_json)


@app.command()
def dismiss(
    why: Annotated[str, typer.Option("--why", help="Why nobody misses them.")],
    imports: Imports = None,
    dataset: Dataset = None,
    state: State = None,
    reason: Why = None,
    who: DecidedBy = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Dismiss refused files: their alarms end, and the store may drop them."""
    files = _files()
    with exit_on_error():
        asked = files.replay.selection(imports or (), dataset, state, reason)
        _check_meant(asked.is_everything, everything)
        done = files.replay.dismiss(
            load_settings(), asked, who or current_user(), required_text(why, "--why")
        )
        if as_json:
            print_json({"dismissed": done})
        else:
            out.print(f"Dismissed {counted(done, 'refused file')}.")
        if not done:
            message = (
                "No refused file matches, or they are dismissed already. `palate files "
                "list` shows what there is."
            )
            raise NotFoundError(message)


@app.command()
def retain(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove files from the store that are old enough, or that no import names."""
    from palate.intake import retention

    with exit_on_error():
        settings = load_settings()
        caller = Caller.in_shell("files retain")
        found = retention.retain(settings, _area(settings), caller, dry_run=dry_run)
        if as_json:
            print_json(found.as_dict())
        else:
            out.print(str(found))


def _check_meant(is_everything: bool, is_allowed: bool) -> None:
    if is_everything and not is_allowed:
        message = (
            "This would take every refused file. Name imports, narrow it by --dataset, "
            "--state, --reason, or say --all."
        )
        raise RequestError(message)


def _area(settings: Settings) -> Area:
    return catalog.area_with(settings, "records")


def _files() -> ModuleType:
    """Return the files; importing them takes longer than the other commands."""
    from palate import files

    return files

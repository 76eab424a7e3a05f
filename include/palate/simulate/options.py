"""Options that several commands share."""

import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.errors import PalateError
from palate.simulate.clock import to_seconds
from palate.simulate.scenario import Scenario

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Demo = Annotated[
    bool,
    typer.Option("--demo", help="Turn all difficulties on, at small shares."),
]
Seed = Annotated[
    int | None,
    typer.Option(help="The world's seed; the same gives the same bytes. Default: 7."),
]
Users = Annotated[int | None, typer.Option(min=1, help="Guests. Default: 100.")]
Restaurants = Annotated[int | None, typer.Option(min=1, help="Default: 4.")]
Dishes = Annotated[
    int | None, typer.Option(min=1, help="Dishes of all restaurants. Default: 133.")
]
Until = Annotated[
    str | None,
    typer.Option(
        metavar="'YYYY-MM-DD HH:MM:SS'",
        help="When the history ends, in UTC. Default: now. "
        "To get the same bytes again give the same.",
    ),
]
Days = Annotated[float, typer.Option(min=0.01, help="How long the history is.")]
Wait = Annotated[
    float, typer.Option(min=0, help="With --compare: how long to try, in seconds.")
]
State = Annotated[
    Path | None,
    typer.Option(
        help="Where to note what was sent. Default: `simulator` in PALATE_VAR or var/.",
        file_okay=False,
    ),
]


def state_folder(given: Path | None) -> Path:
    """Return the folder in which a simulation is recorded."""
    repository = Path(__file__).resolve().parents[3]
    var = Path(os.environ.get("PALATE_VAR") or repository / "var")
    return given or var / "simulator"


def instant(text: str | None, now: float) -> int:
    """Return an instant in seconds since 1970 UTC; ``now`` if there is no text.

    :raises typer.BadParameter: if the text is no time
    """
    if text is None:
        return int(now)
    try:
        return to_seconds(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no 'YYYY-MM-DD HH:MM:SS'") from None


def with_scenario(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each share, and the scenario they make.

    The options come from the fields of ``Scenario``. The command gets them, with
    ``--demo``, as the argument ``scenario``.
    """
    names = [item.name for item in fields(Scenario)]

    @wraps(command)
    def run(demo: bool, **options: Any) -> None:
        shares = {name: options.pop(name) for name in names}
        base = Scenario.demo() if demo else Scenario()
        command(scenario=base.changed(**shares), **options)

    parameters = [
        item
        for item in inspect.signature(command).parameters.values()
        if item.name != "scenario"
    ]
    parameters.append(_parameter("demo", Demo, False))
    parameters += [
        _parameter(item.name, _share(item.metadata["of"]), None)
        for item in fields(Scenario)
    ]
    return _with_signature(run, parameters)


def sentences(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command that fails exit with a sentence, not a traceback.

    SIGTERM ends it as Ctrl-C does.
    """

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            command(*args, **options)
        except PalateError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("Stopped; what was sent is noted.", err=True)
            sys.exit(130)

    return _with_signature(run, list(inspect.signature(command).parameters.values()))


def _share(of: str) -> Any:
    option = typer.Option(
        min=0,
        max=1,
        metavar="SHARE",
        show_default=False,
        help=f"Share of {of}.",
        rich_help_panel="Difficulties (shares from 0 to 1; off unless given)",
    )
    return Annotated[float | None, option]


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _with_signature(
    command: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    # typer reads the signature and the annotations, one for each parameter.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {item.name: item.annotation for item in parameters}
    return command

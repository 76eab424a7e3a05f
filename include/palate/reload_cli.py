"""The command ``palate reload``."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress

from palate import reload as reloading
from palate import restaging, vault
from palate.database import connect
from palate.errors import SettingsError
from palate.intervals import Request, Source, planned
from palate.mart_definitions import load_marts
from palate.settings import Settings, load_settings
from palate.stage import Batch, Caller, shell_caller
from palate.told import told

out = Console()
errors = Console(stderr=True)

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


def reload(
    start: Annotated[
        datetime, typer.Option("--from", formats=_FORMATS, help="Broker time, UTC.")
    ],
    end: Annotated[
        datetime, typer.Option("--to", formats=_FORMATS, help="Up to, not including.")
    ],
    source: Annotated[
        Source, typer.Option(help="Where messages are read again from.")
    ] = Source.AUTO,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, for a program.")
    ] = False,
) -> None:
    """Look at a time of history again: heal what is missing, prove the rest equal.

    Exits with 14 if something differs that is never overwritten.
    """
    with told():
        if start >= end:
            message = f"--from {start} is not before --to {end}."
            raise SettingsError(message)
        settings = load_settings()
        request = Request(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), source)
        caller = shell_caller("reload")
        with Progress(console=errors, disable=as_json, transient=True) as progress:
            bar = _Bar(settings, caller, progress)
            found = reloading.run_all(settings, replace(caller, told=bar.told), request)
        if as_json:
            print(json.dumps(found.as_dict(), default=str))
        else:
            out.print(Markdown(found.markdown()))
        found.check()


class _Bar:
    """A bar for each layer, over the positions that are planned for it."""

    def __init__(self, settings: Settings, caller: Caller, progress: Progress) -> None:
        """Take what is needed to learn how much there is to do."""
        self._settings = settings
        self._caller = caller
        self._progress = progress
        self._bars = {
            stage: progress.add_task(name, total=None)
            for stage, name in {
                restaging.STAGE: reloading.MESSAGES,
                vault.RELOAD: reloading.VAULT,
                **{mart.stage: name for name, mart in load_marts().items()},
            }.items()
        }

    def told(self, stage: str, batch: Batch) -> None:
        """Move the bar of a stage by what it has done."""
        bar = self._bars[stage]
        if self._progress.tasks[bar].total is None:
            with connect(self._settings) as conn:
                plan = planned(conn, self._caller)
            ranges = plan.ranges if plan else []
            if plan and stage == restaging.STAGE:
                ranges = plan.compared
            self._progress.update(bar, total=sum(len(item) for item in ranges))
        if batch.is_repeat:
            self._progress.advance(bar, sum(len(item) for item in batch.ranges))

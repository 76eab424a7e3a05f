"""The command ``palate reload``."""

from dataclasses import replace
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.progress import Progress

from palate import requests
from palate.cli.output import AsJson, errors, exit_on_error, out, print_json
from palate.engine import Batch, Caller, plans
from palate.history import reload as reloading
from palate.history import reload_share
from palate.settings import Settings, load_settings
from palate.sources import Area, catalog


def reload(
    start: Annotated[
        str, typer.Option("--from", help="Broker time, such as 2026-01-31.")
    ],
    end: Annotated[
        str, typer.Option("--to", help="Up to, not including; UTC without a zone.")
    ],
    source: Annotated[
        plans.ReadFrom, typer.Option(help="Where messages are read again from.")
    ] = plans.ReadFrom.AUTO,
    resume: Annotated[
        bool, typer.Option(help="Go on with such a reload that did not end.")
    ] = False,
    area_name: Annotated[
        str | None, typer.Option("--area", help="Of which area; default: the first.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reload a time of history: restore what is missing, compare the rest.

    Exits with 14 if something differs that is never overwritten. An interrupted one
    goes on where it was with --resume.
    """
    with exit_on_error():
        request = requests.history(start, end, source, ("--from", "--to"))
        settings = load_settings()
        if area_name:
            area = catalog.find_area(settings, area_name)
        else:
            catalog.refuse_errors(settings)  # any may be the first
            area = catalog.areas(settings)[0]
        caller = Caller.in_shell("reload")
        if resume:
            caller = reloading.interrupted(settings, caller, request)
        with Progress(console=errors, disable=as_json, transient=True) as progress:
            bar = _Bar(settings, area, caller, progress)
            watched = replace(caller, on_batch=bar.on_batch)
            found = reloading.run_all(settings, area, watched, request)
        if as_json:
            print_json(found.as_dict())
        else:
            out.print(Markdown(found.markdown()))
        found.check()


class _Bar:
    """A bar for each layer, over its planned positions or guests."""

    def __init__(
        self, settings: Settings, area: Area, caller: Caller, progress: Progress
    ) -> None:
        """Keep what is needed to find out how much there is to do."""
        self._watch = reload_share.ReloadProgress(settings, caller)
        self._progress = progress
        self._bars = {
            reloading.stage_of(area, layer): progress.add_task(layer, total=None)
            for layer in reloading.layers(area)
        }

    def on_batch(self, stage: str, batch: Batch) -> None:
        """Move the bar of a stage by what it has done."""
        if batch.is_repeat:
            share = self._watch.after(stage, batch)
            self._progress.update(
                self._bars[stage], completed=share.done, total=share.total
            )

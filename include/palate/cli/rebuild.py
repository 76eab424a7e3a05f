"""The command ``palate rebuild vault``."""

import typer
from rich.markdown import Markdown
from rich.progress import Progress

from palate.cli.output import errors, out, print_json
from palate.engine import Batch, Caller
from palate.errors import ApprovalNeededError, RequestError
from palate.history import rebuild, rebuild_report
from palate.settings import Settings


def rebuild_vault(
    settings: Settings, *, yes: bool, give_up: bool, as_json: bool
) -> None:
    """Rebuild vault and marts beside the live ones, compare, ask, and swap.

    :raises ApprovalNeededError: if they differ, and nobody is there to be asked
    """
    if yes and give_up:
        message = "--yes and --discard contradict each other: leave one out."
        raise RequestError(message)
    if give_up:
        was_there = rebuild.discard(settings)
        out.print("Dropped it." if was_there else "There is no rebuild under way.")
        return
    with Progress(console=errors, disable=as_json, transient=True) as progress:
        bar = progress.add_task("positions built anew", total=None)

        def on_batch(_: str, batch: Batch) -> None:
            progress.advance(bar, sum(len(item) for item in batch.ranges))

        caller = Caller.in_shell("rebuild", on_batch)
        rebuild.build(settings, caller)
        found = rebuild.compare(settings, caller)
    _show(found, as_json)
    can_ask = out.is_terminal and not as_json
    if (
        found.differs
        and not yes
        and not (can_ask and typer.confirm("Let them take over?"))
    ):
        message = (
            f"{found.sentence} Nothing was swapped. `palate rebuild vault --yes` goes "
            "on and swaps, `palate rebuild vault --discard` drops them."
        )
        raise ApprovalNeededError(message)
    _show(rebuild.swap(settings, caller, is_approved=found.differs), as_json)


def _show(found: rebuild_report.RebuildReport, as_json: bool) -> None:
    if as_json:
        print_json(found.as_dict())
    else:
        out.print(Markdown(found.markdown()))

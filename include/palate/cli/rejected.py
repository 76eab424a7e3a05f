"""The command ``palate rejected``: refused messages, and their replay."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import wraps
from typing import Annotated, Any

import typer

from palate import requests
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
from palate.landing import refusals, replays
from palate.pipelines import follow_replays
from palate.positions import FeedPartition
from palate.reads import refused
from palate.settings import load_settings
from palate.text import escape_controls, pretty

app = typer.Typer(
    help="Messages that are no usable order: see them, replay them, dismiss them.",
    no_args_is_help=True,
)

Dismissed = Annotated[
    bool, typer.Option("--dismissed", help="Those that were dismissed too.")
]
All = Annotated[bool, typer.Option("--all", help="Allow a selection of everything.")]

_SHOWN_CHARACTERS = 20_000


def _asked(
    reason: Annotated[
        list[str] | None, typer.Option(help="Only these; may be repeated.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    partition: Annotated[int | None, typer.Option(help="Only this partition.")] = None,
    offset: Annotated[
        str | None, typer.Option(help="Only these, such as 160 or '160, 170..180'.")
    ] = None,
    epoch: Annotated[
        int | None, typer.Option(help="Only this epoch of the topic.")
    ] = None,
    positions: Annotated[
        str | None,
        typer.Option(help="Only these, such as 'orders/0/2: 160, 170..180'."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="From then on, such as 2026-01-31.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Before then; in UTC without a zone.")
    ] = None,
    time: Annotated[
        refusals.Time, typer.Option(help="Which time --from and --to mean.")
    ] = refusals.Time.BROKER,
) -> refusals.Selection:
    return requests.selection(
        load_settings(),
        reasons=reason or (),
        topic=topic,
        partition=partition,
        offset=offset,
        positions=positions,
        epoch=epoch,
        start=start,
        end=end,
        time=time,
        names=("--from", "--to"),
    )


def _selects(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of ``_asked`` in place of its first parameter."""
    options = inspect.signature(_asked).parameters
    _, *own = inspect.signature(command).parameters.values()

    @wraps(command)
    def run(**given: Any) -> None:
        with exit_on_error():
            selection = _asked(**{name: given.pop(name) for name in options})
            command(selection, **given)

    parameters = [*options.values(), *own]
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    )
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


@app.command("list")
@_selects
def list_messages(
    selection: refusals.Selection,
    dismissed: Dismissed = False,
    limit: Annotated[int, typer.Option(min=1, help="Show at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List refused messages, with the counts by reason of all that match."""
    selection = replace(selection, with_dismissed=dismissed)
    with connect(load_settings()) as conn:
        found = refused.page(conn, selection, limit=limit)
    if as_json:
        print_json(asdict(found))
        return
    rows_shown = []
    for item in found.messages:
        detail = item.detail
        if item.dismissed_dt:
            detail += f" (dismissed by {item.dismissed_by}: {item.dismissed_why})"
        if item.is_queued:
            detail += " (a replay of it waits)"
        epoch_text = f" epoch {item.epoch}" if item.epoch else ""
        rows_shown.append(
            [
                f"{item.topic}{epoch_text}",
                str(item.partition),
                str(item.offset),
                f"{item.broker_dt:%F %T}" if item.broker_dt else "?",
                item.reason,
                detail,
            ]
        )
    if found.messages:
        heads = ("topic", "partition", "offset", "broker time", "reason", "detail")
        print_table(heads, rows_shown)
    total, listed = found.total.number, len(found.messages)
    shown = f", {listed} of them shown" if listed < total else ""
    out.print(f"{total} refused{shown}: {_listed(found.counts)}.")
    if own := found.counts.get("own_message"):
        out.print(replays.describe_own(own))


@app.command()
def show(
    topic: Annotated[str, typer.Argument(help="The position's topic.")],
    partition: Annotated[int, typer.Argument(min=0, help="Its partition.")],
    offset: Annotated[int, typer.Argument(min=0, help="Its offset.")],
    epoch: Annotated[int, typer.Option(min=0, help="The topic's epoch.")] = 0,
    whole: Annotated[bool, typer.Option("--whole", help="Cut nothing off.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one refused message: why, and its original bytes."""
    with exit_on_error():
        log = FeedPartition(topic, epoch, partition)
        with connect(load_settings()) as conn:
            content = refused.show(conn, log, offset)
        if as_json:
            print_json(content.as_dict())
            return
        item = content.rejected
        broker = f"{item.broker_dt:%F %T} UTC" if item.broker_dt else "unknown"
        lines = [
            f"{log} offset {offset}, broker time {broker}",
            f"{item.reason}: {item.detail}",
        ]
        if item.dismissed_dt:
            lines.append(
                f"dismissed {item.dismissed_dt:%F %T} UTC by {item.dismissed_by}:"
                f" {item.dismissed_why}"
            )
        lines += [_replayed(one) for one in content.replays]
        if content.key is not None:
            lines.append(f"key: {pretty(content.key)}")
        if content.headers is not None:
            lines.append(f"headers (values in base64): {pretty(content.headers)}")
        for line in lines:
            print(escape_controls(line))
        if content.is_gone:
            print("Its bytes are gone: retention has dropped them from STG.")
            return
        text = pretty(content.message)
        size = len(content.message or b"")
        cut = not whole and len(text) > _SHOWN_CHARACTERS
        print(f"{size} bytes:")
        print(text[:_SHOWN_CHARACTERS] if cut else text)
        if cut:
            print("... (cut; --whole shows everything)")


@app.command()
@_selects
def replay(
    selection: refusals.Selection,
    dismissed: Dismissed = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take at most, oldest positions first.")
    ] = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Replay refused messages; accepted ones are loaded and counted."""
    _check_meant(selection, everything)
    selection = replace(selection, with_dismissed=dismissed, limit=limit)
    settings = load_settings()
    queued = replays.run(settings, Caller.in_shell("replay"), selection)
    print_outcome(queued, as_json)
    # Even if nothing was queued: an earlier, unfinished replay is finished.
    for outcome in follow_replays(settings):
        print_outcome(outcome, as_json)
    if queued.counts["queued"] and not as_json:
        with connect(settings) as conn:
            left = refused.still_refused(conn, queued.as_ranges())
        loaded = queued.counts["queued"] - sum(left.values())
        out.print(f"Accepted now: {loaded}. Refused: {_listed(left)}.")


@app.command()
@_selects
def dismiss(
    selection: refusals.Selection,
    why: Annotated[str, typer.Option("--why", help="Why nobody misses them.")],
    who: DecidedBy = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most.")] = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Dismiss refused messages; they stay, and are counted apart."""
    _check_meant(selection, everything)
    done = replays.dismiss(
        load_settings(),
        replace(selection, limit=limit),
        who or current_user(),
        required_text(why, "--why"),
    )
    if as_json:
        print_json({"dismissed": done.number})
    else:
        out.print(f"Dismissed {counted(done.number, 'refused message')}.")
    if not done.number:
        message = (
            "No refused message matches, or they are dismissed already. `palate "
            "rejected list` shows what there is."
        )
        raise NotFoundError(message)


def _check_meant(selection: refusals.Selection, everything: bool) -> None:
    if selection.is_everything and not everything:
        message = (
            "This would take every refused message. Narrow it by --reason, --topic, "
            "--from ..., or say --all."
        )
        raise RequestError(message)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in counts.items()) or "none"


def _replayed(one: refused.Replay) -> str:
    whose = f" by {one.run_id} of {one.dag_id}" if one.run_id else ""
    if one.is_waiting:
        became = "waits to be judged"
    elif one.judged_dt:
        became = f"refused again {one.judged_dt:%F %T} UTC"
    else:
        became = "refused again"
    return f"replayed {one.asked_dt:%F %T} UTC{whose}: {became}"

"""The command ``palate rejected``: what was refused, and its way back."""

import json
from base64 import b64encode
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from palate import rejected, vault
from palate.counted import counted
from palate.decisions import person, stated
from palate.errors import NotFoundError, SettingsError
from palate.positions import Log
from palate.readable import harmless, readable
from palate.rejected import Content, Rejected, Selection, Time
from palate.run import follow_vault
from palate.settings import load_settings
from palate.stage import Outcome, shell_caller
from palate.told import told

app = typer.Typer(
    help="Messages that are no usable order: see them, replay them, dismiss them.",
    no_args_is_help=True,
)
out = Console(highlight=False, markup=False, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")]
Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Only these; may be repeated.")
]
Topic = Annotated[str | None, typer.Option("--topic", help="Only this topic.")]
Partition = Annotated[int | None, typer.Option(min=0, help="Only this partition.")]
Offset = Annotated[int | None, typer.Option(min=0, help="Only this offset.")]
Epoch = Annotated[int | None, typer.Option(min=0, help="Only this epoch of the topic.")]
Start = Annotated[datetime | None, typer.Option("--from", help="From then on, in UTC.")]
End = Annotated[datetime | None, typer.Option("--to", help="Before then, in UTC.")]
By = Annotated[Time, typer.Option("--time", help="Which time --from and --to mean.")]
Dismissed = Annotated[
    bool, typer.Option("--dismissed", help="Those that were dismissed too.")
]
All = Annotated[bool, typer.Option("--all", help="Allow a selection of everything.")]

_SHOWN_CHARACTERS = 20_000


@app.command("list")
def list_messages(
    reason: Reasons = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    epoch: Epoch = None,
    start: Start = None,
    end: End = None,
    time: By = Time.BROKER,
    dismissed: Dismissed = False,
    limit: Annotated[int, typer.Option(min=1, help="Show at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List refused messages, with the counts by reason of all that match."""
    with told():
        selection = _selection(
            reason, topic, partition, offset, epoch, start, end, time, dismissed, limit
        )
        settings = load_settings()
        counts = rejected.count(settings, selection)
        found = rejected.find(settings, selection)
        if as_json:
            rows = [_plain(item) for item in found]
            print(json.dumps({"counts": counts, "messages": rows}))
            return
        table = Table("topic", "partition", "offset", "broker time", "reason", "detail")
        for item in found:
            detail = item.detail
            if item.dismissed_dt:
                detail += f" (dismissed by {item.dismissed_by}: {item.dismissed_why})"
            epoch_text = f" epoch {item.epoch}" if item.epoch else ""
            cells = (
                f"{item.topic}{epoch_text}",
                str(item.partition),
                str(item.offset),
                f"{item.broker_dt:%F %T}" if item.broker_dt else "?",
                item.reason,
                detail,
            )
            table.add_row(*[Text(harmless(cell)) for cell in cells])
        if found:
            out.print(table)
        total = sum(counts.values())
        shown = f", {len(found)} of them shown" if len(found) < total else ""
        out.print(f"{total} refused{shown}: {_told_counts(counts)}.")


@app.command()
def show(
    topic: Annotated[str, typer.Argument(help="The position's topic.")],
    partition: Annotated[int, typer.Argument(min=0, help="Its partition.")],
    offset: Annotated[int, typer.Argument(min=0, help="Its offset.")],
    epoch: Annotated[int, typer.Option(min=0, help="The topic's epoch.")] = 0,
    whole: Annotated[bool, typer.Option("--whole", help="Cut nothing off.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one refused message: why, and its bytes, as they came."""
    with told():
        content = rejected.show(load_settings(), Log(topic, epoch, partition), offset)
        if as_json:
            print(json.dumps(_plain_content(content)))
            return
        item = content.rejected
        broker = f"{item.broker_dt:%F %T} UTC" if item.broker_dt else "unknown"
        lines = [
            f"{Log(topic, epoch, partition)} offset {offset}, broker time {broker}",
            f"{item.reason}: {item.detail}",
        ]
        if item.dismissed_dt:
            lines.append(
                f"dismissed {item.dismissed_dt:%F %T} UTC by {item.dismissed_by}:"
                f" {item.dismissed_why}"
            )
        if content.key is not None:
            lines.append(f"key: {readable(content.key)}")
        if content.headers is not None:
            lines.append(f"headers (values in base64): {readable(content.headers)}")
        for line in lines:
            print(harmless(line))
        if content.is_gone:
            print("Its bytes are gone: retention has dropped them from STG.")
            return
        text = readable(content.message)
        size = len(content.message or b"")
        cut = not whole and len(text) > _SHOWN_CHARACTERS
        print(f"{size} bytes:")
        print(text[:_SHOWN_CHARACTERS] if cut else text)
        if cut:
            print("... (cut; --whole shows everything)")


@app.command()
def replay(
    reason: Reasons = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    epoch: Epoch = None,
    start: Start = None,
    end: End = None,
    time: By = Time.BROKER,
    dismissed: Dismissed = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take at most, oldest positions first.")
    ] = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Judge refused messages again; what is an order now is loaded and counted."""
    with told():
        selection = _selection(
            reason, topic, partition, offset, epoch, start, end, time, dismissed, limit
        )
        _check_meant(selection, everything)
        settings = load_settings()
        queued = rejected.run(settings, shell_caller(rejected.STAGE), selection)
        _print_outcome(queued, as_json)
        # Also when nothing was queued: what an earlier replay left is finished.
        _print_outcome(vault.run(settings, shell_caller(vault.STAGE)), as_json)
        for outcome in follow_vault(settings):
            _print_outcome(outcome, as_json)
        if queued.counts["queued"] and not as_json:
            refused = rejected.still_refused(settings, queued.as_ranges())
            loaded = queued.counts["queued"] - sum(refused.values())
            out.print(f"Accepted now: {loaded}. Refused: {_told_counts(refused)}.")


@app.command()
def dismiss(
    why: Annotated[str, typer.Option("--why", help="Why nobody misses them.")],
    who: Annotated[str | None, typer.Option("--by", help="Who decides it.")] = None,
    reason: Reasons = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    epoch: Epoch = None,
    start: Start = None,
    end: End = None,
    time: By = Time.BROKER,
    limit: Annotated[int | None, typer.Option(min=1, help="At most.")] = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Note that refused messages are not missed; they stay, and are counted apart."""
    with told():
        selection = _selection(
            reason, topic, partition, offset, epoch, start, end, time, False, limit
        )
        _check_meant(selection, everything)
        number = rejected.dismiss(
            load_settings(), selection, who or person(), stated(why, "--why")
        )
        if as_json:
            print(json.dumps({"dismissed": number}))
        else:
            out.print(f"Dismissed {counted(number, 'refused message')}.")
        if not number:
            message = (
                "No refused message matches, or they are dismissed already. `palate "
                "rejected list` shows what there is."
            )
            raise NotFoundError(message)


def _selection(
    reasons: list[str] | None,
    topic: str | None,
    partition: int | None,
    offset: int | None,
    epoch: int | None,
    start: datetime | None,
    end: datetime | None,
    time: Time,
    with_dismissed: bool,
    limit: int | None,
) -> Selection:
    return Selection(
        reasons=tuple(reasons or ()),
        topic=topic,
        partition=partition,
        offset=offset,
        epoch=epoch,
        start=start and start.replace(tzinfo=UTC),
        end=end and end.replace(tzinfo=UTC),
        time=time,
        with_dismissed=with_dismissed,
        limit=limit,
    )


def _check_meant(selection: Selection, everything: bool) -> None:
    if replace(selection, limit=None).is_everything and not everything:
        message = (
            "This would take every refused message. Narrow it by --reason, --topic, "
            "--from ..., or say --all."
        )
        raise SettingsError(message)


def _told_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in counts.items()) or "none"


def _plain(item: Rejected) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(item).items()
    }


def _plain_content(content: Content) -> dict[str, Any]:
    raw = {
        "message": content.message,
        "key": content.key,
        "headers": content.headers,
    }
    return (
        _plain(content.rejected)
        | {
            f"{name}_base64": None if value is None else b64encode(value).decode()
            for name, value in raw.items()
        }
        | {"is_gone": content.is_gone}
    )


def _print_outcome(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome.as_dict()))
    else:
        out.print(str(outcome))

"""The simulator's output while it works, and afterwards."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from palate.simulate.compare import Comparison
from palate.simulate.model import Arrival, Event
from palate.simulate.running import Report, Summary
from palate.simulate.truth import CategoryCounter, ProductCounter

EQUAL = "the marts and tags equal what was sent"
SHOWN = 20

_PER_UPDATE = 1000


@contextmanager
def bar(title: str, orders: int, quiet: bool) -> Iterator[Report]:
    """Show how many of the orders are sent; nothing if it is to be quiet."""
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    sent: set[int] = set()
    with Progress(*columns, console=_screen(), disable=quiet) as progress:
        task = progress.add_task(title, total=orders)
        seen = 0

        def report(event: Event | None) -> None:
            nonlocal seen
            seen += 1
            if isinstance(event, Arrival) or event is None:
                return
            if event.version is not None:
                sent.add(event.version.order_id)
            if seen % _PER_UPDATE == 0:
                progress.update(task, completed=len(sent))

        yield report
        progress.update(task, completed=len(sent))


@contextmanager
def ticker(verbose: bool, quiet: bool) -> Iterator[Report]:
    """Show what is being sent: a count, or a line per event if ``verbose``."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=_screen(), disable=quiet) as progress:
        task = progress.add_task("Waiting for the first order")
        sent = 0

        def report(event: Event | None) -> None:
            nonlocal sent
            if event is None:
                return
            sent += 1
            progress.update(task, description=f"{sent:,} sent; Ctrl-C stops")
            if verbose and not quiet:
                progress.console.print(_line(event), highlight=False)

        yield report


def print_summary(summary: Summary, as_json: bool) -> None:
    """Print what a run has sent."""
    if as_json:
        typer.echo(json.dumps(summary.to_dict()))
    else:
        typer.echo(f"Sent {summary}.")


def print_counters(
    title: str, rows: Sequence[ProductCounter | CategoryCounter]
) -> None:
    """Show the first rows of a counter mart, the greatest counters first."""
    table = Table(title=f"{title}: {len(rows):,} rows", title_justify="left")
    for name in ("user_id", "name", "order_cnt", "pieces_cnt", "amount"):
        table.add_column(name, justify="left" if name[-2:] != "nt" else "right")
    for row in sorted(rows, key=lambda row: -row.order_cnt)[:SHOWN]:
        table.add_row(str(row[0]), repr(row[2]), *map(str, row[3:]))
    console = Console()
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"... {len(rows) - SHOWN:,} more; --json prints all")


def print_comparison(result: Comparison, as_json: bool) -> None:
    """Print how the marts differ from what was sent, if they do."""
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "equal": result.equal,
                    "rows": result.rows,
                    "difference_cnt": len(result.differences),
                    "differences": result.differences[:SHOWN],
                    "notes": result.notes,
                },
                ensure_ascii=False,
            )
        )
        return
    for note in result.notes:
        typer.echo(f"Note: {note}.")
    for difference in result.differences[:SHOWN]:
        typer.echo(difference)
    counts = ", ".join(f"{name} {count:,}" for name, count in result.rows.items())
    if result.equal:
        typer.echo(f"Compared: {counts}.")
        typer.echo(EQUAL)
    else:
        more = len(result.differences) - SHOWN
        typer.echo(f"... and {more:,} more" if more > 0 else "", nl=more > 0)
        typer.echo(f"{len(result.differences):,} differences; there must be: {counts}.")


def rows_as_json(rows: Sequence[ProductCounter | CategoryCounter]) -> list[Any]:
    """Return the rows for JSON: an object each, ids and amounts as text."""
    return [
        {
            name: item if isinstance(item, int | None) else str(item)
            for name, item in row._asdict().items()
        }
        for row in rows
    ]


def _line(event: Event) -> str:
    at = time.strftime("%H:%M:%S", time.gmtime(event.at))
    if isinstance(event, Arrival):
        kind = "restaurant" if event.entry.menu is not None else "user"
        return f"{at}  entry of {kind} {event.entry.id}"
    if event.version is None:
        return f"{at}  {event.topic}  to be refused: {event.reason}"
    version = event.version
    return f"{at}  {event.topic}  order {version.order_id} {version.status}"


def _screen() -> Console:
    # Standard output is for results.
    return Console(stderr=True)

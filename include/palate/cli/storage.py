"""The command ``palate storage``: what STG and the ledger keep; drop what is old."""

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
from palate.engine import Caller
from palate.landing import retention
from palate.reads import storage
from palate.settings import load_settings

app = typer.Typer(
    help="What STG and the ledger keep: see it, drop what is old.",
    no_args_is_help=True,
)

_LARGEST = 3


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show the partitions of STG, what was dropped, and the ledger's size."""
    with exit_on_error():
        found = storage.show(load_settings())
        if as_json:
            print_json(found.as_dict())
            return
        _print_partitions(found.partitions, "kept, because", "may be dropped")
        if found.dropped:
            _print_dropped(found.dropped)
        for item in found.true_from:
            out.print(
                f"dds.{item.table} is true from {item.log} offset {item.offset} on: "
                "what is before was dropped when it was filled."
            )
        largest = sorted(found.tables.items(), key=lambda item: -item[1])[:_LARGEST]
        sizes = ", ".join(f"{name} {_mib(size)}" for name, size in largest)
        total = _mib(sum(found.tables.values()))
        out.print(f"The ledger: {total}, most of it in {sizes}.")
        for problem in found.problems:
            errors.print(problem, style="yellow")


@app.command()
def retain(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Drop old partitions that nothing needs, and prune the ledger.

    The ages are set by PALATE_STG_KEEP_DAYS (unset: all of STG is kept) and
    PALATE_OPS_KEEP_DAYS.
    """
    with exit_on_error():
        found = retention.retain(
            load_settings(), Caller.in_shell("retain"), dry_run=dry_run
        )
        if as_json:
            print_json(found.as_dict())
            return
        out.print(str(found))
        if found.kept:
            _print_partitions(found.kept, "kept, because", "")


def _print_partitions(
    items: list[retention.StagingPartition], title: str, otherwise: str
) -> None:
    print_table(
        ("partition", "log", "offsets", "size", title),
        [
            (
                f"stg.order_events_{item.id}",
                str(item.range.log),
                f"{item.range.start}..{item.range.end - 1}",
                _mib(item.bytes),
                item.kept or otherwise,
            )
            for item in items
        ],
    )


def _print_dropped(items: list[retention.StagingPartition]) -> None:
    print_table(
        ("dropped", "log", "offsets", "last message", "size", "when, by"),
        [
            (
                f"stg.order_events_{item.id}",
                str(item.range.log),
                f"{item.range.start}..{item.range.end - 1}",
                f"{item.last_broker_dt:%F %T}" if item.last_broker_dt else "none",
                _mib(item.bytes),
                f"{item.dropped_dt:%F %T} {item.dropped_by}",
            )
            for item in items
        ],
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"

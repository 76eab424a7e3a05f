"""The command ``palate positions``: how far each stage is, and recorded gaps."""

from dataclasses import asdict
from typing import Annotated

import typer

from palate.cli.output import (
    AsJson,
    DecidedBy,
    exit_on_error,
    out,
    print_json,
    print_table,
)
from palate.counted import counted
from palate.database import connect
from palate.decisions import current_user, required_text
from palate.engine import Caller
from palate.landing import accept_gap, epochs, gaps
from palate.positions import FeedPartition
from palate.settings import load_settings

app = typer.Typer(
    help="How far each stage is, and offsets that were lost.", no_args_is_help=True
)

LostOf = Annotated[str, typer.Argument(help="The topic that lost messages.")]
Partition = Annotated[int, typer.Argument(min=0, help="Its partition.")]


@app.command("list")
def list_positions(as_json: AsJson = False) -> None:
    """List the next offset of each stage by log, and the recorded gaps."""
    with exit_on_error(), connect(load_settings()) as conn:
        rows = conn.execute(
            "SELECT topic, epoch, kafka_partition, stage, next_offset"
            " FROM ops.watermarks ORDER BY topic, epoch, kafka_partition, stage"
        ).fetchall()
        found = gaps.known(conn)
        decisions = epochs.accepted_epochs(conn)
    marks: dict[FeedPartition, dict[str, int]] = {}
    for topic, epoch, partition, stage, offset in rows:
        marks.setdefault(FeedPartition(topic, epoch, partition), {})[stage] = offset
    if as_json:
        positions = [asdict(log) | {"next_offsets": at} for log, at in marks.items()]
        gap_rows = [asdict(gap.log) | asdict(gap) for gap in found]
        for row in gap_rows:
            del row["log"]
        values = {"positions": positions, "gaps": gap_rows}
        values["epochs"] = [asdict(one) for one in decisions]
        print_json(values)
        return
    stages = sorted({stage for at in marks.values() for stage in at})
    print_table(
        ["next offset of", *stages],
        [[str(k), *[str(at.get(s, "-")) for s in stages]] for k, at in marks.items()],
    )
    if decisions:
        print_table(
            ["epoch", "begins at", "decision"],
            [
                [
                    one.name,
                    str(one.first_offset),
                    f"accepted {one.accepted_dt:%F %T} by {one.accepted_by}:"
                    f" {one.accepted_why}",
                ]
                for one in decisions
            ],
        )
    if not found:
        out.print("No gaps.")
        return
    print_table(
        ["gap", "offsets", "found", "decision"],
        [
            [
                str(gap.log),
                f"{gap.start}..{gap.end - 1}",
                f"{gap.found_dt:%F %T}",
                f"accepted {gap.accepted_dt:%F %T} by {gap.accepted_by}:"
                f" {gap.accepted_why}"
                if gap.accepted_dt
                else "open: the drain stops at it",
            ]
            for gap in found
        ],
    )


@app.command("accept-gap")
def accept(
    topic: LostOf,
    partition: Partition,
    to: Annotated[int, typer.Option(min=1, help="The first offset to read again.")],
    reason: Annotated[str, typer.Option(help="Why these messages are given up.")],
    who: DecidedBy = None,
    as_json: AsJson = False,
) -> None:
    """Give up offsets that are gone from the broker, so that the drain goes on."""
    with exit_on_error():
        outcome = accept_gap.accept_gap(
            load_settings(),
            Caller.in_shell("accept-gap"),
            topic,
            partition,
            to,
            who or current_user(),
            required_text(reason, "--reason"),
        )
        if as_json:
            print_json(outcome.as_dict())
        else:
            number = outcome.counts["given_up"]
            given_up = counted(number, "offset is", "offsets are")
            out.print(f"{given_up} given up. The next run goes on at {to}.")


@app.command("accept-lost-tail")
def accept_tail(
    topic: LostOf,
    partition: Partition,
    reason: Annotated[str, typer.Option(help="Why the log is what it is now.")],
    who: DecidedBy = None,
    as_json: AsJson = False,
) -> None:
    """Stage what is there now, where a broker lost the end of a partition's log.

    What was staged of it stays.
    """
    with exit_on_error():
        log, first = accept_gap.accept_lost_tail(
            load_settings(),
            Caller.in_shell("accept-lost-tail"),
            topic,
            partition,
            who or current_user(),
            required_text(reason, "--reason"),
        )
        if as_json:
            print_json(asdict(log) | {"first_offset": first})
        else:
            out.print(f"{log} begins at offset {first}. The next run reads it.")


@app.command("accept-cluster")
def accept_other_cluster(
    topic: Annotated[str, typer.Argument(help="The topic, as the cluster has it.")],
    reason: Annotated[str, typer.Option(help="Why another cluster takes over.")],
    who: DecidedBy = None,
    as_json: AsJson = False,
) -> None:
    """Read a topic from another cluster than before, in a new epoch of positions."""
    with exit_on_error():
        epoch = accept_gap.accept_cluster(
            load_settings(),
            Caller.in_shell("accept-cluster"),
            topic,
            who or current_user(),
            required_text(reason, "--reason"),
        )
        if as_json:
            print_json({"topic": topic, "epoch": epoch})
        else:
            out.print(f"Epoch {epoch} of {topic} begins. The next run reads it.")

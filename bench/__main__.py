"""The command `python -m bench`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import machine, pipeline
from bench import orders as made
from bench import profile as profiling
from bench.history import reload as reloading
from bench.landing import move as moving
from bench.landing import retention as retaining
from bench.marts import bloat as bloating
from bench.publish.publish import publish as publishing
from bench.results import Report
from bench.services import Services, console, now, running
from bench.store import stage, staged
from bench.system import beside as backfilling
from bench.system import cockpit as cockpits
from bench.system import flights as flying
from bench.system import flights_latency, growth, latency
from bench.system import idle as idling
from bench.system import replica as replicating
from bench.system import sustained as sustaining
from bench.system import workers as working
from bench.tags.tags import tags as tagging
from bench.vault import layouts
from bench.vault import views as viewing
from deploy.local.errors import StackError
from palate.errors import PalateError
from palate.schema.migrate import migrate

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_SIZES = [50_000, 500_000, 2_000_000]
_MORE = 5_000_000
_VAR = Path(__file__).resolve().parents[1] / "var" / "bench"


class Section(StrEnum):
    """A part of the benchmarks."""

    PIPELINE = "pipeline"
    GROWTH = "growth"
    LATENCY = "latency"


Var = Annotated[Path, typer.Option(help="State folder of the benchmarks' own stack.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the stack and its data for the next run.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Forget what an earlier --keep has kept.")
]


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Measure Palate on this machine; without a command, all of it: `run`."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run(
    only: Annotated[
        list[Section] | None, typer.Option(help="Only this section (repeatable).")
    ] = None,
    repetitions: Annotated[
        int, typer.Option(min=1, help="Of the floor, and of the batch of 50,000.")
    ] = 3,
    size: Annotated[
        list[int] | None,
        typer.Option(help="Orders in store to measure growth at (repeatable)."),
    ] = None,
    more: Annotated[bool, typer.Option("--more", help="And at 5 million.")] = False,
    rounds: Annotated[
        int, typer.Option(min=1, help="How often each size has its turn.")
    ] = 3,
    batches: Annotated[
        int, typer.Option(min=1, help="Batches in a turn, with and without checkpoint.")
    ] = 3,
    messages: Annotated[
        int, typer.Option(min=1, max=2_000, help="Messages for the latency.")
    ] = 50,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two of them.")
    ] = 12,
    var: Var = _VAR,
    keep: Keep = False,
    fresh: Fresh = False,
) -> None:
    """Measure floor and pipeline, growth and latency; write a table of them.

    Takes about half an hour and 20 GB of disk; --only and --size make it shorter. The
    exit code says whether it could be measured, not how fast it was.
    """
    sections = only or list(Section)
    sizes = sorted(size or _SIZES + [_MORE] * more)
    with _explained(), running(var, keep=keep, fresh=fresh) as services:
        report = _report(services)
        # Latency last: Airflow itself is a load.
        for section in (one for one in Section if one in sections):
            others = machine.OtherLoad(services)
            console.rule(section)
            match section:
                case Section.PIPELINE:
                    report.add_pipeline(
                        *pipeline.measure(
                            services,
                            repetitions=repetitions,
                            small=pipeline.SMALL_BATCHES,
                        )
                    )
                case Section.GROWTH:
                    report.add_growth(
                        growth.measure(
                            services, sizes=sizes, rounds=rounds, batches=batches
                        )
                    )
                case Section.LATENCY:
                    report.add_latency(
                        latency.measure(services, messages=messages, every=every)
                    )
            report.about["other load"][section] = _load(others.share())
            report.write()
        _write(report)


@app.command()
def profile(
    orders: Annotated[int, typer.Option(help="Orders in store at first.")] = 50_000,
    batch: Annotated[
        int, typer.Option(help="Profile batches of so many messages on top of them.")
    ] = 0,
    batches: Annotated[int, typer.Option(min=1, help="How many of those.")] = 5,
    lanes: Annotated[
        int, typer.Option(help="Connections that load the vault; with 1, times add up.")
    ] = 1,
    least: Annotated[
        float, typer.Option(help="Leave out statements below this, in us per order.")
    ] = 0.05,
    explain: Annotated[
        str | None,
        typer.Option(help="Print EXPLAIN ANALYZE of statements with this (a regex)."),
    ] = None,
    vacuum: Annotated[
        bool, typer.Option("--vacuum", help="Vacuum and analyze before the batches.")
    ] = False,
    var: Var = _VAR,
    keep: Keep = False,
    fresh: Fresh = False,
) -> None:
    """Print what each SQL statement costs per order.

    Messages are put into STG directly; the drain is not measured. With --batch, it uses
    a copy of the store of that many orders if `run --keep` has left one; or resumes
    where `profile --keep` has stopped.
    """
    database = "bench_profile"
    with _explained(), running(var, keep=keep) as services:
        settings = services.settings(database)
        settings = settings.model_copy(update={"palate_vault_lanes": lanes})
        if batch and services.has_database(growth.store(orders)):
            services.copy_database(growth.store(orders), database)
            migrate(settings)
        elif batch and not fresh and services.has_database(database):
            migrate(settings)
        else:
            services.fresh_warehouse(database)
        services.fill_dictionary(orders + 100 * batch)
        first = profiling.Profile(None if batch else explain)
        missing = max(made.messages_for(orders) - staged(settings), 0)
        for start in range(0, missing, 50_000):
            console.print(f"{missing - start} messages to load ...")
            stage(settings, min(50_000, missing - start))
            profiling.run_stages(settings, first)
        if not batch:
            profiling.show(first, missing, least)
            return
        if vacuum:
            services.vacuum(database)
        following = profiling.Profile(explain)
        for _ in range(batches):
            stage(settings, batch)
            profiling.run_stages(settings, following)
        profiling.show(following, batch * batches, least)


@app.command()
def bloat(
    batches: Annotated[int, typer.Option(min=2, help="How many batches.")] = 10_000,
    size: Annotated[int, typer.Option(min=1, help="Messages in each.")] = 5,
    looks: Annotated[int, typer.Option(min=1, help="How often to measure.")] = 10,
    minutes: Annotated[float, typer.Option(help="Stop after so many.")] = 60,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what many small batches leave in the catalogs, and what it costs.

    Messages are put into STG directly; the drain makes no temporary tables.
    """
    with _measuring(var, keep) as services:
        found = []
        for observation in bloating.measure(
            services,
            batches=batches,
            size=size,
            observations=looks,
            seconds=minutes * 60,
        ):
            console.print(f"{observation.batches} batches ...")
            found.append(observation)
        bloating.show(found)


@app.command()
def move(
    orders: Annotated[int, typer.Option(min=1_000, help="In store.")] = 500_000,
    repetitions: Annotated[int, typer.Option(min=1, help="How often.")] = 3,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what it costs when a dish with 2 % of all lines moves in the past.

    Half of its orders are affected; touching any other number is an error.
    """
    with _measuring(var, keep) as services:
        found = moving.measure(services, number=orders, repetitions=repetitions)
        moving.show(found)


@app.command()
def publish(
    guests: Annotated[int, typer.Option(min=1, help="Who change at once.")] = 50_000,
    repetitions: Annotated[int, typer.Option(min=1, help="How often.")] = 3,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what it costs when many guests' tags change at once, and to publish them.

    A bare producer loop sends the same messages for comparison: the ratio is to that.
    """
    with _measuring(var, keep) as services:
        found = publishing.measure(services, guests=guests, repetitions=repetitions)
        publishing.show(found, guests)


@app.command()
def tags(
    guests: Annotated[
        int, typer.Option(min=1_000, help="Guests whom the rule concerns.")
    ] = 1_000_000,
    things: Annotated[
        int, typer.Option(min=1, help="Counters that each of them has.")
    ] = 3,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what a changed rule costs that affects very many guests."""
    with _measuring(var, keep) as services:
        tagging.show(tagging.measure(services, guests=guests, things=things))


@app.command()
def cockpit(
    orders: Annotated[int, typer.Option(min=1, help="Orders in store.")] = _MORE,
    batches: Annotated[int, typer.Option(min=1, help="In the ledger.")] = 700_000,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each page.")] = 10,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Measure the cockpit's pages, each as the server answers it. Writes a table."""
    with _explained(), running(var, keep=keep) as services:
        report = _report(services)
        others = machine.OtherLoad(services)
        report.figures += cockpits.figures(
            cockpits.measure(
                services, orders=orders, batches=batches, repetitions=repetitions
            )
        )
        report.about["other load"]["cockpit"] = _load(others.share())
        _write(report)


@app.command()
def flights(
    tickets: Annotated[
        list[int] | None,
        typer.Option(min=1_000, help="Tickets in store to measure with (repeatable)."),
    ] = None,
    changes: Annotated[int, typer.Option(min=1, help="In a batch.")] = 10_000,
    repetitions: Annotated[int, typer.Option(min=1, help="Batches of each size.")] = 3,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Measure an airline's changes from their topics to the mart. Writes a table.

    As a multiple of reading the same bytes and copying them, and of what a change costs
    with the fewest tickets. Without --tickets: 100,000 and 2 million, which takes half
    an hour.
    """
    sizes = sorted(tickets or [100_000, 2_000_000])
    with _explained(), running(var, keep=keep) as services:
        report = _report(services)
        others = machine.OtherLoad(services)
        report.figures += flying.figures(
            [
                flying.measure(
                    services, tickets=size, changes=changes, repetitions=repetitions
                )
                for size in sizes
            ]
        )
        report.about["other load"]["flights"] = _load(others.share())
        _write(report)


@app.command("flights-latency")
def latency_of_flights(
    commits: Annotated[int, typer.Option(min=1, help="At the airline.")] = 100,
    every: Annotated[float, typer.Option(help="Seconds between two of them.")] = 6,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Measure from a commit at the airline to the mart under the running Airflow."""
    areas = flights_latency.AREAS
    with _explained(), running(var, keep=keep, areas=areas) as services:
        report = _report(services)
        others = machine.OtherLoad(services)
        found = flights_latency.measure(services, commits=commits, every=every)
        report.figures += flights_latency.figures(found, every)
        report.about["other load"]["flights"] = _load(others.share())
        _write(report)


@app.command()
def views(
    size: Annotated[
        list[int] | None,
        typer.Option(help="Orders in store to read with (repeatable)."),
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each read.")] = 5,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Measure reads of the vault's views, whole and by order, guest, dish or day.

    A whole read is a multiple of reading the largest table once. Writes a table.
    """
    sizes = sorted(size or [50_000, 500_000])
    with _explained(), running(var, keep=keep) as services:
        report = _report(services)
        others = machine.OtherLoad(services)
        found = viewing.measure(services, sizes=sizes, repetitions=repetitions)
        loads = viewing.measure_loads(services, repetitions=repetitions)
        report.figures += viewing.figures(found, loads)
        report.about["other load"]["views"] = _load(others.share())
        _write(report)


@app.command()
def idle(
    minutes: Annotated[float, typer.Option(min=0.1, help="How long to watch.")] = 10,
    settle: Annotated[
        float, typer.Option(min=0, help="Minutes before, in which it gets calm.")
    ] = 2,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what the running stack does while there is nothing to do.

    CPU of each part, runs that were started, versions of DAGs that were written, and
    how long a file with DAGs takes to parse.
    """
    with _measuring(var, keep) as services:
        idling.show(idling.measure(services, minutes=minutes, settle=settle))


@app.command()
def reload(
    messages: Annotated[int, typer.Option(min=1, help="Orders of the week.")] = 50_000,
    history: Annotated[
        list[int] | None, typer.Option(help="Orders in store, such as 500000.")
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="How often.")] = 3,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what the reload of a week costs, as a multiple of its first load.

    With --history: of the newest orders of each of these histories, and with kills.
    """
    with _measuring(var, keep) as services:
        if history:
            parts = [
                reloading.measure_part(services, history=size, messages=messages)
                for size in history
            ]
            reloading.show_parts(parts, messages)
            return
        found = reloading.measure(services, messages=messages, repetitions=repetitions)
        reloading.show(found, messages)


@app.command()
def beside(
    messages: Annotated[int, typer.Option(min=1, max=1_000, help="In each case.")] = 40,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two of them.")
    ] = 3,
    hours: Annotated[
        int, typer.Option(min=1, help="That the backfill covers, twelve runs each.")
    ] = 24,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print how long messages take beside a large backfill, and without one."""
    with _measuring(var, keep) as services:
        found = backfilling.measure(
            services, messages=messages, every=every, hours=hours
        )
        backfilling.show(found)


@app.command("layouts")
def lay_out(
    of: Annotated[
        layouts.Rows, typer.Option(help="The table: the vault's lines, or messages.")
    ] = layouts.Rows.LINES,
    orders: Annotated[int, typer.Option(min=100_000, help="In store.")] = 5_000_000,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each act.")] = 5,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what partitions of the largest tables would cost and gain.

    Takes about half an hour and 10 GB of disk.
    """
    with _measuring(var, keep) as services:
        found = layouts.measure(services, of, orders=orders, repetitions=repetitions)
        layouts.show(list(found), orders)


@app.command()
def workers(
    messages: Annotated[int, typer.Option(min=1, help="That wait.")] = 200_000,
    repetitions: Annotated[int, typer.Option(min=1, help="How often.")] = 3,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what a second worker gains on one backlog, stage by stage."""
    with _measuring(var, keep) as services:
        found = working.measure(services, messages=messages, repetitions=repetitions)
        working.show(found, messages)


@app.command()
def replica(
    orders: Annotated[int, typer.Option(min=1_000, help="In store.")] = 500_000,
    batches: Annotated[int, typer.Option(min=1, help="Loaded, twice.")] = 20,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print how far a streaming replica is behind, alone and beside reports on it."""
    with _measuring(var, keep) as services:
        found = replicating.measure(services, orders=orders, batches=batches)
        replicating.show(found)


@app.command()
def retention(
    repetitions: Annotated[int, typer.Option(min=1, help="Of the retention.")] = 5,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print how long a COPY waits while retention meets a long reader of STG."""
    with _measuring(var, keep) as services:
        retaining.show(retaining.measure(services, repetitions=repetitions))


@app.command()
def sustained(
    rate: Annotated[float, typer.Option(min=1, help="Messages a second.")] = 2_000,
    minutes: Annotated[float, typer.Option(min=0.1, max=60, help="How long.")] = 10,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print how far the running Airflow falls behind under a steady load."""
    with _measuring(var, keep) as services:
        found = sustaining.measure(services, rate=rate, minutes=minutes)
        sustaining.show(found)


@contextmanager
def _measuring(var: Path, keep: bool) -> Iterator[Services]:
    """Run services; report at the end how much of the machine others have used."""
    with _explained(), running(var, keep=keep) as services:
        others = machine.OtherLoad(services)
        yield services
        console.print(f"Other load: {_load(others.share())}")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (PalateError, StackError, RuntimeError) as error:
        console.print(str(error), markup=False)
        raise typer.Exit(1) from None


def _report(services: Services) -> Report:
    return Report(
        {
            "date": f"{now():%F %H:%M:%S} UTC",
            "command": _command(),
            "machine": machine.describe(),
            "versions": machine.versions(services),
            "other load": {},
        }
    )


def _write(report: Report) -> None:
    table = report.write()
    print(report.markdown())
    console.print(f"Written to bench/results/{table.name} and .json")


def _load(share: float) -> str:
    return f"{share:.0%}" + (" (disturbed)" if share > machine.NOISE else "")


def _command() -> str:
    """Return the command without the folder, which means nothing to others."""
    arguments: list[Any] = sys.argv[1:]
    if "--var" in arguments:
        at = arguments.index("--var")
        del arguments[at : at + 2]
    return " ".join(["python -m bench", *arguments])


app()

"""The command `python -m bench`."""

from pathlib import Path
from typing import Annotated

import typer

from bench import orders as made
from bench import profile as profiling
from bench.services import console, running
from bench.store import stage, staged
from palate.migrate import migrate

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_VAR = Path(__file__).resolve().parents[1] / "var" / "bench"
Var = Annotated[Path, typer.Option(help="State folder of the benchmarks' own stack.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the stack and its data for the next run.")
]


@app.command()
def profile(
    orders: Annotated[int, typer.Option(help="Orders in the first batch.")] = 50_000,
    batch: Annotated[
        int, typer.Option(help="Messages of further batches, the ones profiled then.")
    ] = 0,
    batches: Annotated[int, typer.Option(help="How many of those.")] = 5,
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
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget the orders that --keep has kept.")
    ] = False,
    var: Var = _VAR,
    keep: Keep = False,
) -> None:
    """Print what each SQL statement costs per order.

    Messages are put into STG directly; the drain is not measured. With --keep, a
    further run adds its batches to the orders that are there.
    """
    with running(var, keep=keep) as services:
        settings = services.settings("bench_profile")
        settings = settings.model_copy(update={"palate_vault_lanes": lanes})
        if batch and not fresh and services.has_database("bench_profile"):
            migrate(settings)
        else:
            services.fresh_warehouse("bench_profile")
        first = profiling.Profile(None if batch else explain)
        missing = made.messages_for(orders) - staged(settings)
        if missing > 0:
            console.print(f"Staging {missing} messages ...")
            services.fill_dictionary(orders + batch * batches)
            for start in range(0, missing, 50_000):
                stage(settings, min(50_000, missing - start))
                profiling.run_stages(settings, first)
        if not batch:
            profiling.show(first, missing, least)
            return
        following = profiling.Profile(explain)
        for _ in range(batches):
            stage(settings, batch)
            profiling.run_stages(settings, following)
        profiling.show(following, batch * batches, least)


@app.callback()
def main() -> None:
    """Measure Palate on this machine."""


app()

"""`palate simulate flights`: a stand-in for the airline."""

import json
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import astuple
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from palate import local_stack
from palate.errors import SettingsError
from palate.settings import load_settings
from palate.simulate import options
from palate.simulate.flights.acts import act, fill_if_empty
from palate.simulate.flights.airline import Airline, connected
from palate.simulate.flights.compare import (
    COLUMNS,
    COPY,
    MART,
    Difference,
    differences,
    has_copy,
    truth,
)

app = typer.Typer(
    help="Play the airline: book, check in, delay, rebook, cancel in its database. "
    "What the mart must be is asked of its standby.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_POLL_SECONDS = 2
_SHOWN = 20

Seed = Annotated[int, typer.Option(help="The same rows and seed give the same acts.")]


@app.command()
@options.sentences
def fill(
    flights: Annotated[int, typer.Option(min=2, help="How many flights.")] = 60,
    bookings: Annotated[int, typer.Option(min=0, help="How many bookings.")] = 100,
    seed: Seed = 7,
    as_json: options.Json = False,
) -> None:
    """Enter airports, aircraft, flights and bookings, unless there are any."""
    with _airline(seed) as airline:
        is_empty = fill_if_empty(airline, flights, bookings)
    if as_json:
        typer.echo(json.dumps({"filled": is_empty}))
    else:
        typer.echo("Filled." if is_empty else "There are rows; nothing was entered.")


@app.command()
@options.sentences
def live(
    rate: Annotated[
        float, typer.Option(min=0.1, max=1_000_000, help="Acts a minute.")
    ] = 60,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many acts.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="Stop after so many seconds.")
    ] = None,
    seed: Seed = 7,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print a line per act.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Do what happens at an airline, until Ctrl-C, --count or --for.

    Each act is one transaction. It goes on with the rows that are there; `fill` enters
    the first ones.
    """
    done: Counter[str] = Counter()
    start = time.monotonic()
    try:
        with _airline(seed) as airline:
            while count is None or done.total() < count:
                due = start + done.total() * 60 / rate
                if seconds is not None and due > start + seconds:
                    break
                time.sleep(max(0, due - time.monotonic()))
                name, what = act(airline)
                done[name] += 1
                if verbose and not as_json:
                    typer.echo(what)
    except KeyboardInterrupt:
        # The usual way to stop it.
        pass
    except LookupError as error:
        raise SettingsError(
            f"Nothing can happen: {error}. Enter some: palate simulate flights fill"
        ) from None
    passed = time.monotonic() - start
    if as_json:
        summary = {"acts": dict(sorted(done.items())), "seconds": round(passed, 3)}
        typer.echo(json.dumps(summary))
    else:
        acts = ", ".join(f"{name} {times}" for name, times in done.most_common())
        typer.echo(f"{done.total():,} acts in {passed:.1f} s: {acts or 'none'}")


@app.command(name="truth")
@options.sentences
def show_truth(
    comparing: Annotated[
        bool,
        typer.Option("--compare", help="Compare the mart and its copy with it."),
    ] = False,
    wait: options.Wait = 0,
    language: Annotated[str, typer.Option(help="Of airports' names.")] = "en",
    as_json: options.Json = False,
) -> None:
    """Print what the mart must be, by the standby's tables, or compare it.

    Stop the simulator first: what has just been written is on its way. --compare exits
    with 1 if the mart or its copy differs.
    """
    if not comparing:
        rows = truth(_needed("FLIGHTS_STANDBY_DSN"), language).values()
        if as_json:
            named = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
            typer.echo(json.dumps(named, ensure_ascii=False, default=str))
        else:
            _print(COLUMNS, [tuple(map(str, row)) for row in rows])
        return
    end = time.monotonic() + wait
    while (found := _compare(language)) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    if as_json:
        typer.echo(json.dumps([astuple(one) for one in found], default=str))
    elif found:
        titles = ("table", "passenger_id", "must be", "is")
        _print(titles, [tuple(map(str, astuple(one))) for one in found])
    else:
        copied = has_copy(_needed("MART_DSN"))
        what = "The mart and its copy equal" if copied else "The mart equals"
        typer.echo(f"{what} the source.")
        if not copied:
            typer.echo(f"There is no {COPY} at MART_DSN, so no copy was compared.")
    raise typer.Exit(1 if found else 0)


def _airline(seed: int) -> AbstractContextManager[Airline]:
    return connected(_needed("FLIGHTS_AIRLINE_DSN"), seed)


def _needed(name: str) -> str:
    found = local_stack.address(name)
    if not found:
        raise SettingsError(
            f"{name} is not set. `PALATE_AREAS=food,flights make up` starts an "
            "airline, which is found without."
        )
    return found


def _compare(language: str) -> list[Difference]:
    must = truth(_needed("FLIGHTS_STANDBY_DSN"), language)
    warehouse = load_settings().dwh_dsn.get_secret_value()
    found = differences(must, warehouse, MART)
    copy = _needed("MART_DSN")
    return found + differences(must, copy, COPY) if has_copy(copy) else found


def _print(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*titles)
    for row in rows[:_SHOWN]:
        table.add_row(*row)
    Console().print(table)
    if len(rows) > _SHOWN:
        typer.echo(f"and {len(rows) - _SHOWN:,} more")

"""`palate simulate`: a stand-in for the order service that knows the truth."""

import json
import time
from typing import Annotated

import typer

from palate.counted import counted
from palate.settings import load_settings
from palate.simulate import display, options
from palate.simulate.compare import Comparison, compare
from palate.simulate.flights import cli as flights
from palate.simulate.generate import generate, initial_entries, trickle
from palate.simulate.journal import Journal, WorldSize
from palate.simulate.running import Summary, sender, topics_of, write_dictionaries
from palate.simulate.scenario import Scenario
from palate.simulate.truth import Truth

app = typer.Typer(
    help="Play the order service: dictionaries to Redis, orders to Kafka. "
    "What was sent is noted down, so `truth` knows what the marts must be.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(flights.app, name="flights")

_POLL_SECONDS = 2


@app.command()
@options.sentences
def dictionaries(
    seed: options.Seed = None,
    users: options.Users = None,
    restaurants: options.Restaurants = None,
    dishes: options.Dishes = None,
    days: options.Days = 7,
    until: options.Until = None,
    late: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of entries left for the history."),
    ] = 0,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Write the dictionaries to Redis: an entry per user and restaurant.

    They are dated around the beginning of a history of --days that ends at --until.
    Give the same --late to `history`, so that it brings the entries that are left out.
    """
    journal = Journal(options.state_folder(state))
    size = journal.world(seed=seed, users=users, restaurants=restaurants, dishes=dishes)
    end = options.instant(until, time.time())
    summary = write_dictionaries(
        load_settings(),
        journal,
        size,
        lambda world: initial_entries(world, Scenario(late=late), end, days),
    )
    display.print_summary(summary, as_json)


@app.command()
@options.sentences
@options.with_scenario
def history(
    scenario: Scenario,
    orders: Annotated[int, typer.Option(min=0, help="How many orders.")] = 50_000,
    days: options.Days = 7,
    until: options.Until = None,
    seed: options.Seed = None,
    users: options.Users = None,
    restaurants: options.Restaurants = None,
    dishes: options.Dishes = None,
    own_time: Annotated[
        bool,
        typer.Option(
            "--own-time",
            help="Records bear the time at which they would have been sent in the "
            "past, not that of sending. Kafka deletes them by that time.",
        ),
    ] = False,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Send a history at once: orders of the past, with a peak at lunch and at dinner.

    Begin with `dictionaries`. A second history adds other orders of the same world.
    """
    journal = Journal(options.state_folder(state))
    size = journal.world(seed=seed, users=users, restaurants=restaurants, dishes=dishes)
    end = options.instant(until, time.time())
    summary = _send_history(
        journal, size, scenario, orders, end, days, quiet=as_json, own_time=own_time
    )
    display.print_summary(summary, as_json)


@app.command()
@options.sentences
@options.with_scenario
def live(
    scenario: Scenario,
    rate: Annotated[
        float, typer.Option(min=0.001, max=1_000_000, help="Orders a minute.")
    ] = 5,
    count: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after so many new orders and what follows."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="Stop after so many seconds.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print a line per message.")
    ] = False,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Send a live trickle, until Ctrl-C, --count or --for.

    It continues after the last run: with the same world, and with later versions of
    earlier orders where the shares say so. Shares of dishes, users and entries are
    chances per order here; a late entry is that of a new guest.
    """
    settings = load_settings()
    journal = Journal(options.state_folder(state))
    with (
        sender("live", settings, journal, journal.world()) as (sending, world),
        display.ticker(verbose=verbose, quiet=as_json) as report,
    ):
        start = int(time.time()) + 1
        events = trickle(
            world,
            scenario,
            rate,
            start,
            count,
            sending.past.recent,
            topics_of(settings),
            sending.past.next_order_id,
            sending.run.number,
        )
        try:
            end = None if seconds is None else start + seconds
            sending.send_in_time(events, report, end)
        except KeyboardInterrupt:
            # The usual way to stop it.
            pass
    display.print_summary(sending.summary, as_json)


@app.command()
@options.sentences
def demo(
    orders: Annotated[int, typer.Option(min=0, help="How many orders.")] = 50_000,
    days: options.Days = 7,
    until: options.Until = None,
    seed: options.Seed = None,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Write the dictionaries, then send a history with all difficulties on."""
    end = options.instant(until, time.time())
    scenario = Scenario.demo()
    journal = Journal(options.state_folder(state))
    size = journal.world(seed=seed)
    written = write_dictionaries(
        load_settings(),
        journal,
        size,
        lambda world: initial_entries(world, scenario, end, days),
    )
    summary = _send_history(journal, size, scenario, orders, end, days, quiet=as_json)
    summary.entries += written.entries
    display.print_summary(summary, as_json)


@app.command()
@options.sentences
def truth(
    comparing: Annotated[
        bool,
        typer.Option("--compare", help="Compare the marts of the warehouse with it."),
    ] = False,
    wait: options.Wait = 0,
    state: options.State = None,
    as_json: options.Json = False,
) -> None:
    """Print the marts that must result from what was sent, or compare them.

    Without --compare every dictionary entry that was written counts. --compare leaves
    out versions that aren't staged: Redis has only the newest version of an entry, and
    an earlier one may have been replaced before it was read. It exits with 1 if the
    marts differ.
    """
    journal = Journal(options.state_folder(state))
    if comparing:
        result = _compare_until_equal(journal, wait)
        display.print_comparison(result, as_json)
        raise typer.Exit(0 if result.equal else 1)
    known = Truth()
    journal.replay(known)
    products, categories = known.product_counters(), known.category_counters()
    if as_json:
        answer = {
            "user_product_counters": display.rows_as_json(products),
            "user_category_counters": display.rows_as_json(categories),
            "rejected": known.rejected(),
        }
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    display.print_counters("cdm.user_product_counters", products)
    display.print_counters("cdm.user_category_counters", categories)
    for reason, count in known.rejected().items():
        typer.echo(f"to be refused as {reason}: {count:,}")


@app.command()
@options.sentences
def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    state: options.State = None,
) -> None:
    """Forget what was sent, and the world.

    Kafka, Redis and the warehouse keep what they have: after this alone, `truth` will
    not match them. `make reset` wipes everything.
    """
    journal = Journal(options.state_folder(state))
    runs = len(journal.runs())
    if runs and not yes:
        typer.confirm(
            f"Forget {counted(runs, 'run')} noted in {journal.folder}?", abort=True
        )
    journal.forget()
    typer.echo(f"Forgot {counted(runs, 'run')}.")


def _send_history(
    journal: Journal,
    size: WorldSize,
    scenario: Scenario,
    orders: int,
    until: int,
    days: float,
    quiet: bool,
    own_time: bool = False,
) -> Summary:
    settings = load_settings()
    with (
        sender("history", settings, journal, size, own_time) as (sending, world),
        display.bar("Sending orders", orders, quiet) as report,
    ):
        events = generate(
            world,
            scenario,
            orders,
            until,
            days,
            topics_of(settings),
            sending.past.next_order_id,
            sending.run.number,
        )
        sending.send_all(events, report)
    return sending.summary


def _compare_until_equal(journal: Journal, seconds: float) -> Comparison:
    dsn = load_settings().dwh_dsn.get_secret_value()
    end = time.monotonic() + seconds
    result = compare(dsn, journal)
    while not result.equal and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
        result = compare(dsn, journal)
    return result

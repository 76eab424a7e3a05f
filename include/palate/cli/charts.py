"""The command ``palate charts``: what is popular, and what is sold."""

from datetime import datetime
from decimal import Decimal
from enum import Enum
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
from palate.database import connect
from palate.reads import charts
from palate.settings import load_settings
from palate.text import escape_controls

app = typer.Typer(
    help="What is popular, and what is sold: CLOSED orders, by their newest version.",
    no_args_is_help=True,
)


class By(Enum):
    """What the most popular is."""

    ORDERS = "orders"
    GUESTS = "guests"


_DAY = ["%Y-%m-%d"]
First = Annotated[
    datetime | None,
    typer.Option("--from", formats=_DAY, help="The first day of order_dt (UTC)."),
]
Last = Annotated[
    datetime | None,
    typer.Option("--to", formats=_DAY, help="The last day, which is included."),
]
Restaurant = Annotated[
    str | None, typer.Option(help="Only its orders: the service's own id.")
]
Order = Annotated[By, typer.Option("--by", help="What the most popular is.")]
Most = Annotated[int | None, typer.Option(min=1, help="How many are shown, at most.")]


@app.command()
def categories(
    first: First = None,
    last: Last = None,
    restaurant: Restaurant = None,
    by: Order = By.ORDERS,
    most: Most = None,
    as_json: AsJson = False,
) -> None:
    """Show how many guests and orders each category has, and its shares.

    Guests are counted over all orders only: those of several days don't add up.
    """
    with exit_on_error():
        chosen = _chosen(first, last, restaurant)
        with connect(load_settings()) as conn:
            found = charts.categories(conn, chosen, by=by.value, most=most)
        _show(found, as_json)


@app.command()
def dishes(
    first: First = None,
    last: Last = None,
    restaurant: Restaurant = None,
    by: Order = By.ORDERS,
    most: Most = 20,
    as_json: AsJson = False,
) -> None:
    """Show how many guests and orders each dish has, the most popular first.

    Guests are counted over all orders only: those of several days don't add up.
    """
    with exit_on_error():
        chosen = _chosen(first, last, restaurant)
        with connect(load_settings()) as conn:
            found = charts.dishes(conn, chosen, by=by.value, most=most)
        _show(found, as_json)


@app.command()
def restaurants(
    first: First = None, last: Last = None, as_json: AsJson = False
) -> None:
    """Show how many orders each restaurant has, and for how much money."""
    with exit_on_error():
        with connect(load_settings()) as conn:
            found = charts.restaurants(conn, _chosen(first, last, None))
        _show(found, as_json)


@app.command()
def days(
    first: First = None,
    last: Last = None,
    restaurant: Restaurant = None,
    as_json: AsJson = False,
) -> None:
    """Show orders, money and guests of each day; of a restaurant, no guests."""
    with exit_on_error():
        with connect(load_settings()) as conn:
            found = charts.days(conn, _chosen(first, last, restaurant))
        if as_json:
            print_json(found.as_dict())
            return
        heads = ("day", "orders", "money", "guests", "new", "returning")
        rows = [
            (
                f"{one.day}",
                f"{one.orders:,}",
                _money(one.amount),
                _number(one.guests),
                _number(one.new_guests),
                _number(one.returning_guests),
            )
            for one in found.days
        ]
        print_table(heads, rows)
        _print_state(found)


def _chosen(
    first: datetime | None, last: datetime | None, restaurant: str | None
) -> charts.Chosen:
    return charts.Chosen(first and first.date(), last and last.date(), restaurant)


def _show(found: charts.Popularity, as_json: bool) -> None:
    if as_json:
        print_json(found.as_dict())
        return
    heads = ("id", "name", "guests", "share", "orders", "share", "pieces", "money")
    rows = [
        (
            one.id,
            one.name or "",
            _number(one.guests),
            _share(one.guests_share),
            f"{one.orders:,}",
            _share(one.orders_share),
            f"{one.pieces:,}",
            _money(one.amount),
        )
        for one in found.shares
    ]
    print_table(heads, rows)
    if found.number > len(found.shares):
        out.print(f"These are {len(found.shares)} of {found.number:,} {found.of}.")
    _print_state(found)


def _print_state(found: charts.Popularity | charts.Sales) -> None:
    if found.as_of:
        out.print(f"As of {found.as_of:%F %T} UTC.")
    for note in found.notes:
        errors.print(escape_controls(note), style="yellow")


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _money(value: Decimal) -> str:
    return f"{value:,f}"

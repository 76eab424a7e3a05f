"""The charts: what is popular, and what is sold."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import Depends, Query, Response

from palate.errors import RequestError
from palate.reads import charts
from palate_cockpit.csv_file import csv_file
from palate_cockpit.routes import NONE_IF_EMPTY, Pages
from palate_cockpit.sessions import Session

pages = Pages("operations")

_SHOWN = 15


_Day = Annotated[date | None, NONE_IF_EMPTY]
_Text = Annotated[str | None, NONE_IF_EMPTY]


def _chosen(
    first: Annotated[_Day, Query(alias="from")] = None,
    last: Annotated[_Day, Query(alias="to")] = None,
    restaurant: Annotated[_Text, Query()] = None,
) -> charts.Chosen:
    if first and last and first > last:
        message = f"From, {first}, is after To, {last}. Swap them."
        raise RequestError(message)
    return charts.Chosen(first, last, restaurant)


Chosen = Annotated[charts.Chosen, Depends(_chosen)]


@dataclass(frozen=True)
class Charts:
    """All charts of the orders that are chosen; some are None where they don't add up.

    ``restaurants`` are all of the time that is chosen: one may be chosen from them.
    """

    chosen: charts.Chosen
    categories_by_guests: charts.Popularity | None
    categories_by_orders: charts.Popularity
    dishes_by_guests: charts.Popularity | None
    dishes_by_orders: charts.Popularity
    restaurants: charts.Popularity
    sales: charts.Sales


@pages.page("/charts", "charts.html")
def show_charts(conn: Session, chosen: Chosen) -> Charts:
    """Show what is popular, and what is sold."""
    of_time = charts.Chosen(chosen.first, chosen.last)
    by_guests = chosen.is_all
    return Charts(
        chosen=chosen,
        categories_by_guests=charts.categories(conn, chosen, by="guests", most=_SHOWN)
        if by_guests
        else None,
        categories_by_orders=charts.categories(conn, chosen, most=_SHOWN),
        dishes_by_guests=charts.dishes(conn, chosen, by="guests", most=_SHOWN)
        if by_guests
        else None,
        dishes_by_orders=charts.dishes(conn, chosen, most=_SHOWN),
        restaurants=charts.restaurants(conn, of_time),
        sales=charts.days(conn, chosen),
    )


@pages.download("/charts/categories.csv")
def download_categories(conn: Session, chosen: Chosen) -> Response:
    """Download how popular each category is."""
    return _popularity(charts.categories(conn, chosen))


@pages.download("/charts/dishes.csv")
def download_dishes(conn: Session, chosen: Chosen) -> Response:
    """Download how popular each dish is."""
    return _popularity(charts.dishes(conn, chosen))


@pages.download("/charts/restaurants.csv")
def download_restaurants(conn: Session, chosen: Chosen) -> Response:
    """Download how much each restaurant has sold."""
    return _popularity(charts.restaurants(conn, chosen))


@pages.download("/charts/days.csv")
def download_days(conn: Session, chosen: Chosen) -> Response:
    """Download what was sold on each day."""
    heads = ("day", "orders", "pieces", "amount", "guests", "new", "returning")
    rows = [
        (
            one.day,
            one.orders,
            one.pieces,
            one.amount,
            one.guests,
            one.new_guests,
            one.returning_guests,
        )
        for one in charts.days(conn, chosen).days
    ]
    return csv_file("days.csv", heads, rows)


def _popularity(found: charts.Popularity) -> Response:
    heads = (
        *("id", "name", "guests", "guests share"),
        *("orders", "orders share", "pieces", "amount"),
    )
    rows = [
        (
            one.id,
            one.name,
            one.guests,
            one.guests_share,
            one.orders,
            one.orders_share,
            one.pieces,
            one.amount,
        )
        for one in found.shares
    ]
    return csv_file(f"{found.of}.csv", heads, rows)

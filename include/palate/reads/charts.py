"""What is popular, and what is sold: for charts, and ``palate charts``.

Only orders whose newest version is CLOSED count, as in the counter marts. Money is what
the dishes cost, before bonuses.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from palate.database import Connection
from palate.errors import NotFoundError, RequestError
from palate.marts import kept_totals
from palate.sql import execute, render
from palate.tables import initial_load

_SQL = "areas/food/charts"

Measure = Literal["orders", "guests"]
Of = Literal["categories", "dishes", "restaurants"]

# The marts whose totals are drawn.
_MARTS = {
    "categories": ["user_category_counters"],
    "dishes": ["user_product_counters"],
    "restaurants": ["user_product_counters"],
    "days": ["user_product_counters", "user_category_counters"],
}


@dataclass(frozen=True)
class Chosen:
    """Which orders are counted: those of some days, of one restaurant.

    ``first`` and ``last`` are days of ``order_dt`` (UTC), both included; None is no
    bound. ``restaurant`` is the service's own id.
    """

    first: date | None = None
    last: date | None = None
    restaurant: str | None = None

    @property
    def is_all(self) -> bool:
        """Return whether all orders are counted."""
        return self == ALL


ALL = Chosen()


@dataclass(frozen=True)
class Share:
    """A category, dish or restaurant, and how popular it is.

    ``id`` is the service's own (of a category: its name). The shares are parts of the
    sum of all, and add up to 1. ``guests`` are None unless all orders are counted:
    those of several days don't add up.
    """

    id: str
    name: str | None
    guests: int | None
    guests_share: float | None
    orders: int
    orders_share: float
    pieces: int
    amount: Decimal


@dataclass(frozen=True)
class Popularity:
    """The most popular first: ``shares`` are some of ``number``.

    ``as_of`` is when the marts last took orders; ``notes`` say why numbers lack some.
    """

    of: Of
    by: Measure
    chosen: Chosen
    shares: list[Share]
    number: int
    as_of: datetime | None
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Day:
    """What was ordered on a day, and by how many guests.

    A guest is new on the day of his first order that counts, and returns on all later
    days. ``guests`` are None if one restaurant is chosen.
    """

    day: date
    orders: int
    pieces: int
    amount: Decimal
    guests: int | None
    new_guests: int | None
    returning_guests: int | None


@dataclass(frozen=True)
class Sales:
    """Each day that has orders, in order; otherwise as ``Popularity``."""

    chosen: Chosen
    days: list[Day]
    as_of: datetime | None
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def categories(
    conn: Connection,
    chosen: Chosen = ALL,
    *,
    by: Measure = "orders",
    most: int | None = None,
) -> Popularity:
    """Return how popular each category is.

    :param by: what the order goes by; guests only if all orders are counted
    :param most: how many are returned, at most
    :raises NotFoundError: if no order and no menu names the restaurant
    :raises RequestError: if guests are asked for where they don't add up
    """
    return _popularity(conn, "categories", chosen, by, most)


def dishes(
    conn: Connection,
    chosen: Chosen = ALL,
    *,
    by: Measure = "orders",
    most: int | None = None,
) -> Popularity:
    """Return how popular each dish is; otherwise as ``categories``."""
    return _popularity(conn, "dishes", chosen, by, most)


def restaurants(conn: Connection, chosen: Chosen = ALL) -> Popularity:
    """Return how much each restaurant has sold; its guests are not counted.

    :raises NotFoundError: if no order and no menu names the restaurant
    """
    return _popularity(conn, "restaurants", chosen, "orders", None)


def days(conn: Connection, chosen: Chosen = ALL) -> Sales:
    """Return orders, money and guests of each day that has orders.

    :raises NotFoundError: if no order and no menu names the restaurant
    """
    rows = execute(conn, render(f"{_SQL}/days.sql"), _values(conn, chosen)).fetchall()
    return Sales(chosen, [Day(*row) for row in rows], *_state(conn, "days"))


def _popularity(
    conn: Connection, of: Of, chosen: Chosen, by: Measure, most: int | None
) -> Popularity:
    if by == "guests" and not chosen.is_all:
        message = (
            "Guests are counted over all orders only: a guest of two days or two "
            "restaurants would count twice. Order by orders, or choose neither."
        )
        raise RequestError(message)
    query = render(f"{_SQL}/{of}.sql")
    values = {
        "is_by_guests": by == "guests",
        "most": most,
        "is_all": chosen.is_all,
    }
    rows = execute(conn, query, values | _values(conn, chosen)).fetchall()
    number = rows[0][0] if rows else 0
    shares = [Share(*row[1:]) for row in rows]
    return Popularity(of, by, chosen, shares, number, *_state(conn, of))


def _values(conn: Connection, chosen: Chosen) -> dict[str, Any]:
    """Return the parameters that stand for what was chosen."""
    if chosen.restaurant is not None:
        known = conn.execute(
            "SELECT 1 FROM dds.h_restaurant WHERE restaurant_id = %s",
            (chosen.restaurant,),
        ).fetchone()
        if known is None:
            message = (
                f"There is no restaurant {chosen.restaurant}: no order and no menu "
                "names it. Ids compare by every character."
            )
            raise NotFoundError(message)
    return asdict(chosen)


def _state(conn: Connection, of: str) -> tuple[datetime | None, list[str]]:
    """Return when the marts last took orders, and why numbers may be wrong."""
    marts = _MARTS[of]
    (as_of,) = conn.execute(
        "SELECT min(w.moved_dt) FROM (SELECT max(moved_dt) AS moved_dt"
        " FROM ops.watermarks WHERE stage = ANY(%s) GROUP BY stage) AS w",
        ([f"mart:{name}" for name in marts],),
    ).fetchone() or (None,)
    notes = [str(one) for one in initial_load.pending_of(conn, marts)]
    notes += [
        f"The totals of {name} are summed anew at the end of its next run. Until then "
        "they may be wrong."
        for name in kept_totals.doubtful(conn, marts)
    ]
    return as_of, notes

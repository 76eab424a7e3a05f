"""What is known of a guest: names, counters, tags, the last orders."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row

from palate.database import Connection
from palate.errors import NotFoundError
from palate.sql import execute, render
from palate.tags import rules

_SQL = "areas/food/guests"

PAGE = 50
_COUNTERS, _ORDERS, _NAMES = 50, 20, 20


@dataclass(frozen=True)
class Guest:
    """A guest by its own id, and what it is called now."""

    user_id: str
    username: str | None
    userlogin: str | None


@dataclass(frozen=True)
class Found:
    """The guests that a person looked for, by their ids; ``after`` begins more."""

    asked: str
    guests: list[Guest]
    after: str | None


@dataclass(frozen=True)
class Name:
    """What a guest was called from a time on, and by what: a topic or the dictionary.

    ``version_dt`` is a time of the service, without a zone.
    """

    version_dt: datetime
    username: str
    userlogin: str | None
    topic: str


@dataclass(frozen=True)
class Counter:
    """In how many orders a guest had a dish, or something of a category."""

    own_id: str
    name: str | None
    order_cnt: int
    pieces_cnt: int
    amount: Decimal


@dataclass(frozen=True)
class Order:
    """An order by its newest version, and how many versions of it there are."""

    order_id: int
    order_dt: datetime
    restaurant_id: str
    restaurant_name: str | None
    status: str
    cost: Decimal
    payment: Decimal
    lines: list[dict[str, Any]]
    versions: int


@dataclass(frozen=True)
class Profile:
    """All that is shown of one guest.

    The lists of counters and orders are cut: ``dishes``, ``categories`` and ``orders``
    have at most 50, 50 and 20 rows.
    """

    guest: Guest
    names: list[Name]
    tags: list[rules.Held]
    categories: list[Counter]
    dishes: list[Counter]
    orders: list[Order]


def find(
    conn: Connection, asked: str, *, after: str | None = None, limit: int = PAGE
) -> Found:
    """Return the guest with this own id, and those whose name begins so.

    :param after: only guests with a greater id
    """
    if not asked:  # any name begins so
        return Found(asked, [], None)
    values = {"asked": asked, "after": after, "limit": limit + 1}
    with conn.cursor(row_factory=class_row(Guest)) as cursor:
        rows = cursor.execute(render(f"{_SQL}/find.sql"), values).fetchall()
    guests = rows[:limit]
    return Found(asked, guests, guests[-1].user_id if len(rows) > limit else None)


def show(conn: Connection, user_id: str) -> Profile:
    """Return what is known of a guest.

    :param user_id: the guest's own id
    :raises NotFoundError: if no order and no dictionary entry has named the guest
    """
    row = conn.execute(
        "SELECT h_user_pk, user_id, username, userlogin FROM dds.v_user_name"
        " WHERE user_id = %s",
        (user_id,),
    ).fetchone()
    if row is None:
        message = (
            f"There is no guest {user_id!r}: no order and no dictionary entry has "
            "named this id. Ids compare by every character."
        )
        raise NotFoundError(message)
    key = {"user_id": row[0]}

    def read(name: str, kind: Any, limit: int) -> list[Any]:
        found = execute(conn, render(f"{_SQL}/{name}.sql"), key | {"limit": limit})
        return [kind(*one) for one in found]

    return Profile(
        guest=Guest(*row[1:]),
        names=read("names", Name, _NAMES),
        tags=rules.tags_of(conn, user_id),
        categories=read("categories", Counter, _COUNTERS),
        dishes=read("dishes", Counter, _COUNTERS),
        orders=read("orders", Order, _ORDERS),
    )

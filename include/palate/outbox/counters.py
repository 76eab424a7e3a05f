"""The guests whose counters wait to be published."""

from palate.database import Connection
from palate.sql import execute, render

_SQL = "areas/food/publish/counters"

# The marts whose counters a guest's state consists of.
PUBLISHED_MARTS = ("user_product_counters", "user_category_counters")


def has_counters(conn: Connection) -> bool:
    """Tell whether a guest waits whose counters changed."""
    query = "SELECT EXISTS (SELECT 1 FROM ops.counters_waiting)"
    return bool((conn.execute(query).fetchone() or (False,))[0])


def enter_counters(conn: Connection, mart: str, reference: str | None) -> None:
    """Let the guests wait whose rows an open refresh of a mart has changed.

    :param reference: what a change of what the mart looks up changes, if it does
    """
    if mart in PUBLISHED_MARTS:
        statement = render(f"{_SQL}/changed_guests.sql", mart=mart, changes=reference)
        execute(conn, statement)


def enter_all_counters(conn: Connection, mart: str) -> None:
    """Let every guest wait who has rows in a mart, if its counters are published."""
    if mart in PUBLISHED_MARTS:
        execute(conn, render(f"{_SQL}/all_guests.sql", mart=mart))

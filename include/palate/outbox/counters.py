"""The guests whose counters wait to be published."""

from palate.database import Connection
from palate.sql import execute, render

_SQL = "areas/food/publish/counters"

# The marts that make up the counters of a guest's state.
PUBLISHED_MARTS = ("user_product_counters", "user_category_counters")


def has_counters(conn: Connection) -> bool:
    """Return whether a guest's changed counters wait."""
    query = "SELECT EXISTS (SELECT 1 FROM ops.counters_waiting)"
    return bool((conn.execute(query).fetchone() or (False,))[0])


def enter_counters(conn: Connection, mart: str, reference: str | None) -> None:
    """Enqueue the guests whose rows an open refresh of a mart has changed.

    :param reference: what a change of the mart's reference changes, if it has one
    """
    if mart in PUBLISHED_MARTS:
        statement = render(f"{_SQL}/changed_guests.sql", mart=mart, changes=reference)
        execute(conn, statement)


def enter_all_counters(conn: Connection, mart: str) -> None:
    """Enqueue every guest with rows in a mart, if its counters are published."""
    if mart in PUBLISHED_MARTS:
        execute(conn, render(f"{_SQL}/all_guests.sql", mart=mart))

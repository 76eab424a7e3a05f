"""Messages for the exchange topics: orders with names, whole counters of a guest.

Both are read in an open batch, and sent before it commits: what was sent without a
commit is sent again.
"""

from collections.abc import Iterator
from functools import lru_cache

from palate.database import Connection
from palate.engine import Batch
from palate.names import SQL_FOLDER
from palate.positions import make_ranges
from palate.settings import Settings
from palate.sql import Step, execute, execute_step, render, step

_SQL = "areas/food/publish"

Messages = Iterator[tuple[str, bytes]]


_FETCHED = 1_000


def orders(conn: Connection, settings: Settings, batch: Batch) -> Messages:
    """Yield (order's id, enriched form) of the orders that are due by this batch.

    An order's newest version is due if it is in the batch's ranges, or waited for a
    name or a category that is. What is still unknown is recorded in
    ``ops.order_waits``.
    """
    # As in a mart: few rows of large tables.
    conn.execute("SET LOCAL enable_seqscan = off")
    make_ranges(conn, batch.ranges)
    values = {"topic": settings.palate_publish_orders_to}
    for one in order_steps():
        number = execute_step(conn, one, values)
        if one.makes == "due_orders":
            batch.counts["orders_due"] += number
    yield from _messages(conn, render(f"{_SQL}/orders/messages.sql"))


def counters(conn: Connection, batch: Batch, limit: int) -> Messages:
    """Yield (guest's id, counters) of guests whose counters changed.

    They leave the queue with the batch; at most ``limit`` entries of it.
    """
    conn.execute("CREATE TEMP TABLE due_guests (user_id uuid) ON COMMIT DROP")
    taken = execute(conn, render(f"{_SQL}/counters/take.sql"), {"limit": limit})
    batch.counts["guests_due"] += taken.rowcount
    # Counters are read after the queue: later changes are still in it.
    yield from _messages(conn, render(f"{_SQL}/counters/messages.sql"))


@lru_cache(maxsize=1)
def order_steps() -> tuple[Step, ...]:
    """Return the statements that find the due orders, in order."""
    folder = SQL_FOLDER / _SQL / "orders"
    return tuple(
        step(str(path.relative_to(SQL_FOLDER)))
        for path in sorted(folder.glob("[0-9]*.sql"))
    )


def _messages(conn: Connection, query: str) -> Messages:
    # A server-side cursor: memory does not grow with what is due at once.
    with conn.cursor("messages") as cursor:
        cursor.itersize = _FETCHED
        cursor.execute(query)
        for key, value in cursor:
            yield key, value.encode()

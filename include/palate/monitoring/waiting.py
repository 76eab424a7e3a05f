"""How much waits in the warehouse, for a person or for a later stage."""

from palate.database import Connection

# What is counted: (queue, rows). The tables may have a row per guest.
_ROWS = {
    "ids": "SELECT FROM ops.dictionary_lookups",
    "evaluations": "SELECT FROM ops.tags_waiting",
    "tags": "SELECT FROM ops.tag_outbox",
    "orders": "SELECT DISTINCT order_id FROM ops.order_waits",
    "changes": "SELECT FROM ops.mart_changes",
}
# Queues of what is to be published.
OUTLETS = ("tags", "orders", "counters")
# A guest is entered by each batch that changes a counter: no index has them once.
_GUESTS = (
    "SELECT count(*), coalesce(sum(g.entries), 0) FROM (SELECT count(*) AS entries"
    " FROM (SELECT user_id FROM ops.counters_waiting LIMIT %s) AS t"
    " GROUP BY user_id) AS g"
)
_ENTRIES_PER_GUEST = 2


def rows(conn: Connection, bound: int | None = None) -> dict[str, int]:
    """Return how many rows wait in each queue but that of counters.

    ``ids`` that the dictionary does not know yet, ``evaluations`` of tags, and what is
    to be published: ``tags`` (of guests) and ``orders``; and ``changes`` of marts that
    are to be copied.

    :param bound: count no further
    """
    return {
        name: _number(conn, f"SELECT count(*) FROM ({select} LIMIT %s) AS t", bound)
        for name, select in _ROWS.items()
    }


def guests(conn: Connection, most: int | None = None) -> tuple[int, bool]:
    """Return how many guests' counters are to be published, and if there are more.

    :param most: count no further
    """
    bound = None if most is None else (most + 1) * _ENTRIES_PER_GUEST
    number, entries = conn.execute(_GUESTS, (bound,)).fetchone() or (0, 0)
    if most is None or (number <= most and entries < (bound or 0)):
        return int(number), False
    return min(int(number) - 1, most), True


def refused(conn: Connection) -> dict[tuple[str, str], int]:
    """Return how many messages are refused and not dismissed, by topic and reason."""
    found = conn.execute(
        "SELECT topic, reason, count(*) FROM stg.rejected_messages"
        " WHERE dismissed_dt IS NULL GROUP BY topic, reason"
    ).fetchall()
    return {(topic, reason): number for topic, reason, number in found}


def _number(conn: Connection, query: str, bound: int | None) -> int:
    (number,) = conn.execute(query, (bound,)).fetchone() or (0,)
    return int(number)

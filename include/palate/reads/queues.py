"""How much waits in each queue: for a page, counted no further than it needs."""

from dataclasses import dataclass

from palate.database import Connection

# What is counted: (queue, rows). The tables may have a row per guest.
_ROWS = {
    "ids": "SELECT FROM ops.dictionary_lookups",
    "evaluations": "SELECT FROM ops.tags_waiting",
    "tags": "SELECT FROM ops.tag_outbox",
    "orders": "SELECT DISTINCT order_id FROM ops.order_waits",
}
_REFUSED = (
    "SELECT reason, count(*) FROM (SELECT reason FROM stg.rejected_messages"
    " WHERE dismissed_dt IS NULL LIMIT %s) AS t GROUP BY reason ORDER BY reason"
)
_DISMISSED = "SELECT count(*) FROM stg.rejected_messages WHERE dismissed_dt IS NOT NULL"
# A guest is entered by each batch that changes a counter: no index has them once.
_GUESTS = (
    "SELECT count(DISTINCT user_id), count(*)"
    " FROM (SELECT user_id FROM ops.counters_waiting LIMIT %s) AS t"
)
_ENTRIES_PER_GUEST = 10


@dataclass(frozen=True)
class Queues:
    """What waits. ``cut`` names the queues that have more than was counted.

    ``refused`` counts by reason, without dismissed messages; of a cut queue it is some
    of them. ``dismissed`` is None where counting has a bound. ``waiting`` has ``ids``
    that the dictionary does not know yet, ``evaluations`` of tags, and what is to be
    published: ``tags``, ``orders``, ``counters`` (of guests).
    """

    refused: dict[str, int]
    dismissed: int | None
    waiting: dict[str, int]
    cut: tuple[str, ...]


def queues(conn: Connection, most: int | None = None) -> Queues:
    """Count what waits.

    :param most: count no further
    """
    bound = None if most is None else most + 1
    refused: dict[str, int] = dict(conn.execute(_REFUSED, (bound,)).fetchall())
    waiting = {
        name: _number(conn, f"SELECT count(*) FROM ({rows} LIMIT %s) AS t", bound)
        for name, rows in _ROWS.items()
    }
    cut = [
        name
        for name, number in [("refused", sum(refused.values())), *waiting.items()]
        if most is not None and number > most
    ]
    waiting |= {name: most for name in cut if name in waiting and most is not None}
    entries = bound and bound * _ENTRIES_PER_GUEST
    guests, rows = conn.execute(_GUESTS, (entries,)).fetchone() or (0, 0)
    if most is not None and (guests > most or rows == entries):
        guests = min(guests - 1, most)
        cut.append("counters")
    return Queues(
        refused=refused,
        dismissed=_number(conn, _DISMISSED) if most is None else None,
        waiting=waiting | {"counters": guests},
        cut=tuple(cut),
    )


def _number(conn: Connection, query: str, *values: int | None) -> int:
    (number,) = conn.execute(query, values).fetchone() or (0,)
    return int(number)

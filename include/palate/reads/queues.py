"""How much waits in each queue: for a page, counted no further than it needs."""

from dataclasses import dataclass

from palate.database import Connection
from palate.landing import refusals
from palate.reads import refused

# What is counted: (queue, rows). The tables may have a row per guest.
_ROWS = {
    "ids": "SELECT FROM ops.dictionary_lookups",
    "evaluations": "SELECT FROM ops.tags_waiting",
    "tags": "SELECT FROM ops.tag_outbox",
    "orders": "SELECT DISTINCT order_id FROM ops.order_waits",
}
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

    ``refused`` counts by reason, without dismissed messages. ``dismissed`` is None
    where counting has a bound. ``waiting`` has ``ids`` that the dictionary does not
    know yet, ``evaluations`` of tags, and what is to be published: ``tags``,
    ``orders``, ``counters`` (of guests).
    """

    refused: dict[str, int]
    dismissed: int | None
    waiting: dict[str, int]
    cut: tuple[str, ...]


def queues(conn: Connection, most: int | None = None) -> Queues:
    """Count what waits.

    :param most: count no further; of refused messages, each reason
    """
    if most is None:
        return Queues(
            refused=refused.count(conn, refusals.Selection()),
            dismissed=_number(conn, _DISMISSED),
            waiting=_waiting(conn, None) | {"counters": _guests(conn, None)[0]},
            cut=(),
        )
    by_reason = refused.count(conn, refusals.Selection(), most)
    waiting = _waiting(conn, most + 1)
    guests, has_more_guests = _guests(conn, most)
    is_cut = {
        "refused": any(number > most for number in by_reason.values()),
        **{name: number > most for name, number in waiting.items()},
        "counters": has_more_guests,
    }
    return Queues(
        refused={reason: min(number, most) for reason, number in by_reason.items()},
        dismissed=None,
        waiting={name: min(number, most) for name, number in waiting.items()}
        | {"counters": guests},
        cut=tuple(name for name, more in is_cut.items() if more),
    )


def _waiting(conn: Connection, bound: int | None) -> dict[str, int]:
    return {
        name: _number(conn, f"SELECT count(*) FROM ({rows} LIMIT %s) AS t", bound)
        for name, rows in _ROWS.items()
    }


def _guests(conn: Connection, most: int | None) -> tuple[int, bool]:
    """Return how many guests are entered, and whether there are more than that."""
    bound = None if most is None else (most + 1) * _ENTRIES_PER_GUEST
    guests, entries = conn.execute(_GUESTS, (bound,)).fetchone() or (0, 0)
    if most is None or (guests <= most and entries < (bound or 0)):
        return int(guests), False
    return min(int(guests) - 1, most), True


def _number(conn: Connection, query: str, *values: int | None) -> int:
    (number,) = conn.execute(query, values).fetchone() or (0,)
    return int(number)

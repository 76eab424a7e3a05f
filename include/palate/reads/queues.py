"""How much waits in each queue: for a page, counted no further than it needs."""

from dataclasses import dataclass

from palate.database import Connection
from palate.landing import refusals
from palate.monitoring import waiting
from palate.reads import refused

_DISMISSED = "SELECT count(*) FROM stg.rejected_messages WHERE dismissed_dt IS NOT NULL"


@dataclass(frozen=True)
class Queues:
    """What waits. ``cut`` names the queues that have more than was counted.

    ``refused`` counts by reason, without dismissed messages. ``dismissed`` is None
    where counting has a bound. ``waiting`` has ``ids`` that the dictionary does not
    know yet, ``evaluations`` of tags, and what is to be published: ``tags``,
    ``orders``, ``counters`` (of guests); and ``changes`` of marts that are to be
    copied.
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
            waiting=waiting.rows(conn) | {"counters": waiting.guests(conn)[0]},
            cut=(),
        )
    by_reason = refused.count(conn, refusals.Selection(), most)
    rows = waiting.rows(conn, most + 1)
    guests, has_more_guests = waiting.guests(conn, most)
    is_cut = {
        "refused": any(number > most for number in by_reason.values()),
        **{name: number > most for name, number in rows.items()},
        "counters": has_more_guests,
    }
    return Queues(
        refused={reason: min(number, most) for reason, number in by_reason.items()},
        dismissed=None,
        waiting={name: min(number, most) for name, number in rows.items()}
        | {"counters": guests},
        cut=tuple(name for name, more in is_cut.items() if more),
    )


def _number(conn: Connection, query: str) -> int:
    (number,) = conn.execute(query).fetchone() or (0,)
    return int(number)

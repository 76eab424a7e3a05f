"""Tables that were added later, while they are being filled from the history.

Until then its rows are right but incomplete. So no tags are made of them, and nothing
is published.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from palate.database import Connection

# How much of the history one run loads into a new table; live runs wait for it.
CHUNKS = 10


@dataclass(frozen=True)
class InitialLoad:
    """The progress of a table, in positions of all logs."""

    name: str
    is_mart: bool
    done: int
    total: int

    def __str__(self) -> str:
        """Return the sentence that reports it everywhere."""
        share = self.done * 100 // max(self.total, 1)
        return (
            f"{self.name} is new and being filled from the history, by each run: "
            f"{self.done:,} of {self.total:,} positions ({share} %). Until then it "
            "lacks rows, or counts too little."
        )


def pending(conn: Connection) -> list[InitialLoad]:
    """Return the tables that do not have all of the history yet."""
    rows = conn.execute(
        "SELECT name, kind = 'mart', done, total FROM ops.v_filling ORDER BY name"
    )
    return [InitialLoad(*row) for row in rows.fetchall()]


def pending_of(conn: Connection, names: Iterable[str]) -> list[InitialLoad]:
    """Return those of some tables that are being filled."""
    wanted = set(names)
    return [item for item in pending(conn) if item.name in wanted]


def finish(conn: Connection, name: str) -> None:
    """Record that a table has all of the history from now on."""
    conn.execute(
        "UPDATE ops.definitions SET filled_dt = now() WHERE name = %s", (name,)
    )

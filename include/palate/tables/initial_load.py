"""Tables that came after the others, while they are being filled from the history.

Until one has all of it, its rows are right and not all there. So nothing is made of
them: no tag, and nothing that is published.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from palate.database import Connection

# How much of the history one run loads into a table that is new; live runs wait for it.
CHUNKS = 10


@dataclass(frozen=True)
class InitialLoad:
    """How far a table is, in positions of all logs."""

    name: str
    is_mart: bool
    done: int
    total: int

    def __str__(self) -> str:
        """Return the sentence that says so, wherever somebody looks."""
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
    """Note that a table has all of the history from now on."""
    conn.execute(
        "UPDATE ops.definitions SET filled_dt = now() WHERE name = %s", (name,)
    )

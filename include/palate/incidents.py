"""What somebody has to know of: it begins once, and ends once.

Whoever finds something wrong begins an incident, however often it is found, and ends
it when all is well again, in the transaction that found it. ``alarms`` tells of both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from palate.database import Connection


class Kind(StrEnum):
    """What an incident can be about."""

    FRESHNESS = "freshness"
    WATCH = "watch"
    GAP = "gap"
    CLUSTER = "cluster"
    UNREADABLE = "unreadable"
    REFUSED_SHARE = "refused_share"
    HISTORY = "history"
    CHECK = "check"


@dataclass(frozen=True)
class Incident:
    """One incident; ``subject`` says which of its kind, such as a check's name."""

    kind: Kind
    subject: str
    message: str
    began_dt: datetime
    ended_dt: datetime | None = None

    def __str__(self) -> str:
        """Return since when, and what was found then."""
        return f"Since {self.began_dt:%F %T} UTC: {self.message}"


def begin(conn: Connection, kind: Kind, subject: str, message: str) -> bool:
    """Enter an incident, and tell whether it is new: none of its kind is open."""
    return bool(
        conn.execute(
            "INSERT INTO ops.incidents (kind, subject, message) VALUES (%s, %s, %s)"
            " ON CONFLICT (kind, subject) WHERE ended_dt IS NULL DO NOTHING",
            (kind, subject, message),
        ).rowcount
    )


def end(conn: Connection, kind: Kind, subject: str) -> bool:
    """End the incident, and tell whether there was one."""
    return bool(
        conn.execute(
            "UPDATE ops.incidents SET ended_dt = clock_timestamp()"
            " WHERE (kind, subject) = (%s, %s) AND ended_dt IS NULL",
            (kind, subject),
        ).rowcount
    )


def keep(
    conn: Connection, kind: Kind, looked_at: Iterable[str], found: Mapping[str, str]
) -> None:
    """Enter what was found among the subjects looked at; end what is over.

    :param found: the message of each subject that something is wrong with
    """
    over = sorted(set(looked_at) - found.keys())
    conn.execute(
        "UPDATE ops.incidents SET ended_dt = clock_timestamp()"
        " WHERE kind = %s AND subject = ANY(%s) AND ended_dt IS NULL",
        (kind, over),
    )
    for subject, message in found.items():
        begin(conn, kind, subject, message)


def is_open(conn: Connection, kind: Kind, subject: str) -> bool:
    """Tell whether such an incident goes on."""
    row = conn.execute(
        "SELECT 1 FROM ops.incidents WHERE (kind, subject) = (%s, %s)"
        " AND ended_dt IS NULL",
        (kind, subject),
    ).fetchone()
    return row is not None


def open_incidents(conn: Connection) -> list[Incident]:
    """Return those that are not over, the oldest first."""
    return [
        Incident(Kind(kind), subject, message, began_dt)
        for kind, subject, message, began_dt in conn.execute(
            "SELECT kind, subject, message, began_dt FROM ops.incidents"
            " WHERE ended_dt IS NULL ORDER BY incident_id"
        )
    ]

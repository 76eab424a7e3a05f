"""Incidents: what somebody has to know; each begins once and ends once.

Opening an incident is idempotent. It ends when all is well again, in the transaction
that found that. ``alarms`` reports both.
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
    SOURCE = "source"
    COPY = "copy"
    FILE = "file"


@dataclass(frozen=True)
class Incident:
    """One incident; ``subject`` says which of its kind, such as a check's name."""

    kind: Kind
    subject: str
    message: str
    began_dt: datetime
    ended_dt: datetime | None = None

    def __str__(self) -> str:
        """Return since when, and the message."""
        return f"Since {self.began_dt:%F %T} UTC: {self.message}"


def begin(conn: Connection, kind: Kind, subject: str, message: str) -> bool:
    """Open an incident; return whether it is new: no such one is open."""
    return bool(
        conn.execute(
            "INSERT INTO ops.incidents (kind, subject, message) VALUES (%s, %s, %s)"
            " ON CONFLICT (kind, subject) WHERE ended_dt IS NULL DO NOTHING",
            (kind, subject, message),
        ).rowcount
    )


def end(conn: Connection, kind: Kind, subject: str) -> bool:
    """End the incident; return whether there was one."""
    return bool(
        conn.execute(
            "UPDATE ops.incidents SET ended_dt = clock_timestamp()"
            " WHERE (kind, subject) = (%s, %s) AND ended_dt IS NULL",
            (kind, subject),
        ).rowcount
    )


def keep(
    conn: Connection, kind: Kind, checked: Iterable[str], found: Mapping[str, str]
) -> None:
    """Open incidents of the subjects that were checked; end those that are over.

    :param found: the message of each subject that something is wrong with
    """
    over = sorted(set(checked) - found.keys())
    conn.execute(
        "UPDATE ops.incidents SET ended_dt = clock_timestamp()"
        " WHERE kind = %s AND subject = ANY(%s) AND ended_dt IS NULL",
        (kind, over),
    )
    for subject, message in found.items():
        begin(conn, kind, subject, message)


def is_open(conn: Connection, kind: Kind, subject: str) -> bool:
    """Return whether such an incident is open."""
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

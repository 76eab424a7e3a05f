"""Who is told of incidents: one alarm when one begins, one all-clear when it is over.

The table of incidents is the outbox. What was told is noted after it was told, so a
process that dies in between tells once more; nothing is told never.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from palate.database import Connection
from palate.incidents import Incident, Kind

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alarm:
    """What is told of an incident: that it began, or that it is over."""

    incident: Incident
    is_over: bool

    @property
    def title(self) -> str:
        """Return what stands in a subject line."""
        what = "all-clear" if self.is_over else "alarm"
        return f"Palate {what}: {self.incident.kind} {self.incident.subject}"

    @property
    def text(self) -> str:
        """Return what a person reads."""
        if not self.is_over or self.incident.ended_dt is None:
            return str(self.incident)
        return (
            f"Over since {self.incident.ended_dt:%F %T} UTC. It began at "
            f"{self.incident.began_dt:%F %T} UTC: {self.incident.message}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what the templates of a notifier may name."""
        return {
            "title": self.title,
            "text": self.text,
            "is_over": self.is_over,
            "kind": str(self.incident.kind),
            "subject": self.incident.subject,
            "message": self.incident.message,
            "began_dt": self.incident.began_dt,
            "ended_dt": self.incident.ended_dt,
        }


Tell = Callable[[Alarm], None]


def tell_all(conn: Connection, tell: Tell) -> int:
    """Tell what was not told yet, each in a transaction of its own; return how many.

    Several processes may do it at once: each alarm is told by one.

    :param tell: sends one alarm, or raises
    """
    number = 0
    while True:
        with conn.transaction():
            row = conn.execute(
                "SELECT incident_id, told_dt, kind, subject, message, began_dt,"
                " ended_dt FROM ops.incidents WHERE told_dt IS NULL"
                " OR (ended_dt IS NOT NULL AND end_told_dt IS NULL)"
                " ORDER BY incident_id LIMIT 1 FOR UPDATE SKIP LOCKED"
            ).fetchone()
            if row is None:
                return number
            incident_id, told_dt, kind, *rest = row
            tell(Alarm(Incident(Kind(kind), *rest), is_over=told_dt is not None))
            column = "told_dt" if told_dt is None else "end_told_dt"
            conn.execute(
                f"UPDATE ops.incidents SET {column} = clock_timestamp()"
                " WHERE incident_id = %s",
                (incident_id,),
            )
        number += 1


def untold(conn: Connection) -> tuple[int, datetime | None]:
    """Return how many alarms wait to be told, and since when."""
    return conn.execute(
        "SELECT count(*), min(CASE WHEN told_dt IS NULL THEN began_dt ELSE ended_dt"
        " END) FROM ops.incidents WHERE told_dt IS NULL"
        " OR (ended_dt IS NOT NULL AND end_told_dt IS NULL)"
    ).fetchone() or (0, None)

"""Incidents, whether people were told of them, and offsets that are gone."""

from dataclasses import dataclass
from datetime import datetime

from palate.database import Connection
from palate.landing import gaps
from palate.monitoring import alarms

PAGE = 50
# More open ones than this are one disaster: the oldest tell it.
MOST_OPEN = 100

_COLUMNS = (
    "incident_id, kind, subject, message, began_dt, ended_dt, told_dt, told_to,"
    " end_told_dt, end_told_to"
)


@dataclass(frozen=True)
class IncidentSeen:
    """An incident, and when its alarm and its all-clear were sent to whom.

    ``told_to`` and ``end_told_to`` are None of those sent before it was recorded, too.
    """

    incident_id: int
    kind: str
    subject: str
    message: str
    began_dt: datetime
    ended_dt: datetime | None
    told_dt: datetime | None
    told_to: str | None
    end_told_dt: datetime | None
    end_told_to: str | None

    @property
    def seconds(self) -> float | None:
        """Return how long it lasted; None while it is open."""
        if self.ended_dt is None:
            return None
        return (self.ended_dt - self.began_dt).total_seconds()


@dataclass(frozen=True)
class GapSeen:
    """Offsets ``start`` to below ``end`` that were gone before they were read.

    ``command`` gives them up, once it has a reason; None if somebody has done that.
    """

    topic: str
    epoch: int
    partition: int
    start: int
    end: int
    command: str | None
    accepted_by: str | None
    accepted_dt: datetime | None
    accepted_why: str | None
    found_dt: datetime


@dataclass(frozen=True)
class Incidents:
    """The open incidents, the oldest first; a page of those that are over; the gaps.

    ``unsent`` alarms wait, the first since ``unsent_since``. ``older`` is the id that
    the next page begins before, or None.
    """

    open: list[IncidentSeen]
    past: list[IncidentSeen]
    older: int | None
    gaps: list[GapSeen]
    unsent: int
    unsent_since: datetime | None


def incidents(
    conn: Connection, *, before: int | None = None, limit: int = PAGE
) -> Incidents:
    """Return what is wrong now, and a page of what was.

    :param before: only incidents that are over with a smaller id
    """
    still_open = conn.execute(
        f"SELECT {_COLUMNS} FROM ops.incidents WHERE ended_dt IS NULL"
        " ORDER BY incident_id LIMIT %s",
        (MOST_OPEN,),
    )
    found = [IncidentSeen(*row) for row in still_open]
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM ops.incidents WHERE ended_dt IS NOT NULL"
        " AND (%(before)s::bigint IS NULL OR incident_id < %(before)s)"
        " ORDER BY incident_id DESC LIMIT %(limit)s",
        {"before": before, "limit": limit + 1},
    ).fetchall()
    past = [IncidentSeen(*row) for row in rows[:limit]]
    unsent, since = alarms.undelivered(conn)
    return Incidents(
        open=found,
        past=past,
        older=past[-1].incident_id if len(rows) > limit else None,
        gaps=_gaps(conn),
        unsent=unsent,
        unsent_since=since,
    )


def _gaps(conn: Connection) -> list[GapSeen]:
    """Return the open gaps, then the last ones that somebody gave up."""
    columns = (
        "topic, epoch, kafka_partition, from_offset, to_offset, accepted_by,"
        " accepted_dt, accepted_why, found_dt"
    )
    rows = conn.execute(
        f"(SELECT {columns} FROM ops.position_gaps WHERE accepted_dt IS NULL"
        f" ORDER BY gap_id LIMIT {MOST_OPEN}) UNION ALL"
        f" (SELECT {columns} FROM ops.position_gaps WHERE accepted_dt IS NOT NULL"
        f" ORDER BY gap_id DESC LIMIT {PAGE})"
    )
    found = []
    for topic, epoch, partition, start, end, who, *rest in rows:
        command = None if who else gaps.accepting(topic, partition, end)
        found.append(GapSeen(topic, epoch, partition, start, end, command, who, *rest))
    return found

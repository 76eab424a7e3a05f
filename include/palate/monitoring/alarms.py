"""Alarms of incidents: one when an incident begins, an all-clear when it ends.

The table of incidents is the outbox. An alarm is recorded after it was sent: no alarm
is lost; one may be sent twice.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from palate.database import Connection
from palate.errors import AlarmNotSentError
from palate.incidents import Incident, Kind
from palate.text import in_any_medium

_UNSENT = "(told_dt IS NULL OR (ended_dt IS NOT NULL AND end_told_dt IS NULL))"


@dataclass(frozen=True)
class Alarm:
    """A notification of an incident: that it began, or that it is over."""

    incident: Incident
    is_over: bool

    @property
    def title(self) -> str:
        """Return the subject line."""
        what = "all-clear" if self.is_over else "alarm"
        return f"Palate {what}: {self.incident.kind} {self.incident.subject}"

    @property
    def text(self) -> str:
        """Return the text for people."""
        if not self.is_over or self.incident.ended_dt is None:
            return str(self.incident)
        return (
            f"Over since {self.incident.ended_dt:%F %T} UTC. It began at "
            f"{self.incident.began_dt:%F %T} UTC: {self.incident.message}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for a notifier's templates, inert in any medium."""
        return {
            "title": in_any_medium(self.title),
            "text": in_any_medium(self.text),
            "is_over": self.is_over,
            "kind": str(self.incident.kind),
            "subject": in_any_medium(self.incident.subject),
            "message": in_any_medium(self.incident.message),
            "began_dt": self.incident.began_dt,
            "ended_dt": self.incident.ended_dt,
        }


# Sends an alarm, and returns who was told.
Send = Callable[[Alarm], str]


def send_all(conn: Connection, send: Send) -> int:
    """Send the alarms not sent yet, the oldest first; return how many.

    Several processes may do it at once: each alarm is sent by one. No transaction and
    no row is held meanwhile; an alarm that can't be sent does not stop the others.

    :param send: sends one alarm, or raises; it returns who was told
    :raises AlarmNotSentError: if one could not be sent, once all others are
    """
    number = 0
    failures: dict[int, AlarmNotSentError] = {}
    left_to_others: list[int] = []
    while incident_id := _next(conn, [*failures, *left_to_others]):
        with _claimed(conn, incident_id) as is_mine:
            if not is_mine:
                left_to_others.append(incident_id)
                continue
            try:
                number += _send(conn, send, incident_id)
            except AlarmNotSentError as error:
                failures[incident_id] = error
    if failures:
        raise AlarmNotSentError(" ".join(str(error) for error in failures.values()))
    return number


def undelivered(conn: Connection) -> tuple[int, datetime | None]:
    """Return how many alarms wait to be sent, and since when."""
    return conn.execute(
        "SELECT count(*), min(CASE WHEN told_dt IS NULL THEN began_dt ELSE ended_dt"
        f" END) FROM ops.incidents WHERE {_UNSENT}"
    ).fetchone() or (0, None)


def _next(conn: Connection, passed_over: list[int]) -> int | None:
    row = conn.execute(
        f"SELECT min(incident_id) FROM ops.incidents WHERE {_UNSENT}"
        " AND incident_id <> ALL(%s)",
        (passed_over,),
    ).fetchone()
    return row[0] if row else None


@contextmanager
def _claimed(conn: Connection, incident_id: int) -> Iterator[bool]:
    """Claim an alarm against other processes, as long as this session lives."""
    key = (f"palate alarm {incident_id}",)
    row = conn.execute(
        "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", key
    ).fetchone()
    is_mine = bool(row and row[0])
    yield is_mine
    if is_mine:
        conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)


def _send(conn: Connection, send: Send, incident_id: int) -> bool:
    """Send one alarm, and record it; return False if another process was faster."""
    row = conn.execute(
        "SELECT told_dt IS NOT NULL, kind, subject, message, began_dt, ended_dt"
        f" FROM ops.incidents WHERE incident_id = %s AND {_UNSENT}",
        (incident_id,),
    ).fetchone()
    if row is None:
        return False
    is_over, kind, *rest = row
    told_to = send(Alarm(Incident(Kind(kind), *rest), is_over=is_over))
    told = "end_told" if is_over else "told"
    conn.execute(
        f"UPDATE ops.incidents SET {told}_dt = clock_timestamp(), {told}_to = %s"
        " WHERE incident_id = %s",
        (told_to, incident_id),
    )
    return True

"""Events about imports: entered in the transaction of what they tell, sent later."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from palate.database import Connection
from palate.names import ORIGIN_HEADER


class Topic(StrEnum):
    """Where events go."""

    PROCESSED = "processedFile"
    ERRORS = "fileErrors"


class Event(StrEnum):
    """What happened."""

    SUCCESS = "FileExtractSuccess"
    ERROR = "FileExtractError"
    VALIDATION = "ValidationError"


TOPIC_OF = {
    Event.SUCCESS: Topic.PROCESSED,
    Event.ERROR: Topic.ERRORS,
    Event.VALIDATION: Topic.ERRORS,
}


@dataclass(frozen=True)
class Waiting:
    """An event that Kafka has not acknowledged yet."""

    number: int
    event_id: str
    topic: str
    event: str
    company: str
    dataset: str
    entered: datetime
    value: str

    @property
    def headers(self) -> list[tuple[str, str | bytes | None]]:
        """Return its attributes, by CloudEvents 1.0 in binary mode."""
        attributes = {
            "ce_specversion": "1.0",
            "ce_id": self.event_id,
            "ce_source": "/palate/intake",
            "ce_type": self.event,
            "ce_subject": f"{self.company}/{self.dataset}",
            "ce_time": stamp(self.entered),
            "content-type": "application/json",
            ORIGIN_HEADER: "palate",
        }
        return [(name, value.encode()) for name, value in attributes.items()]


def lock(conn: Connection, company: str) -> None:
    """Keep a company's other events away until this transaction ends."""
    conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
        (f"palate intake company {company}",),
    )


def enter(
    conn: Connection,
    event: Event,
    event_id: str,
    values: dict[str, Any],
) -> None:
    """Enter an event, in the transaction of what it tells.

    The company is locked to its end: events of a company are sent by their numbers.

    :param values: its fields; company, dataset and import_id among them
    """
    lock(conn, values["company"])
    conn.execute(
        "INSERT INTO ops.event_outbox"
        " (event_id, topic, company, dataset, event, import_id, value)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            event_id,
            TOPIC_OF[event],
            values["company"],
            values["dataset"],
            event,
            values["import_id"],
            json.dumps({"event": event} | values, ensure_ascii=False, default=str),
        ),
    )


def waiting(conn: Connection, limit: int) -> list[Waiting]:
    """Return the first events that wait to be sent, in their order."""
    rows = conn.execute(
        "SELECT event_no, event_id, topic, event, company, dataset, entered_dt, value"
        " FROM ops.event_outbox WHERE sent_dt IS NULL ORDER BY event_no LIMIT %s",
        (limit,),
    )
    return [Waiting(*row) for row in rows]


def mark_sent(conn: Connection, numbers: list[int]) -> None:
    """Note that Kafka has acknowledged events."""
    conn.execute(
        "UPDATE ops.event_outbox SET sent_dt = clock_timestamp()"
        " WHERE event_no = ANY(%s)",
        (numbers,),
    )


def backlog(conn: Connection) -> dict[str, tuple[int, float]]:
    """Return of each topic how many events wait, and for how many seconds the first."""
    found = {str(topic): (0, 0.0) for topic in Topic}
    for topic, number, seconds in conn.execute(
        "SELECT topic, count(*), extract(EPOCH FROM now() - min(entered_dt))::float8"
        " FROM ops.event_outbox WHERE sent_dt IS NULL GROUP BY topic"
    ):
        found[topic] = (number, seconds)
    return found


def stamp(moment: datetime) -> str:
    """Return a time by RFC 3339, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

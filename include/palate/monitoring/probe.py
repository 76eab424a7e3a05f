"""What the watch knows after a probe, for metrics: values, and what it did not see."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from palate.database import Connection
from palate.incidents import Kind, open_incidents
from palate.monitoring import waiting
from palate.monitoring.freshness import Observed
from palate.settings import Settings
from palate.sources import catalog

_MOST_SECONDS_TO_COUNT = 2


@dataclass(frozen=True)
class Queues:
    """How much waits: refused messages by (topic, reason), and rows by queue."""

    refused: dict[tuple[str, str], int]
    waiting: dict[str, int]


@dataclass(frozen=True)
class Ledger:
    """What the warehouse said; ``queues`` is None where counting took too long.

    ``incidents`` counts the open ones by kind; ``batches`` has the time of the last
    batch by (area, stage).
    """

    incidents: dict[Kind, int]
    batches: dict[tuple[str, str], datetime]
    queues: Queues | None


@dataclass(frozen=True)
class Probe:
    """One probe of the watch, at ``time`` (seconds since 1970).

    ``observed`` is None if the broker was not seen, ``ledger`` if the warehouse was
    not. ``at`` is the time by a clock that never goes back, in seconds.
    """

    observed: Observed | None = None
    ledger: Ledger | None = None
    at: float = field(default_factory=time.monotonic)
    time: float = field(default_factory=time.time)


def read_ledger(conn: Connection, settings: Settings, queues: Queues | None) -> Ledger:
    """Return what the warehouse says, with the queues as they were counted."""
    areas = [area.name for area in catalog.areas(settings)]
    rows = conn.execute(
        "SELECT s.area, s.stage, b.committed_dt FROM ops.stages AS s"
        " CROSS JOIN LATERAL (SELECT n.committed_dt FROM ops.batches AS n"
        " WHERE n.stage = s.stage ORDER BY n.batch_id DESC LIMIT 1) AS b"
        " WHERE s.area = ANY(%s)",
        (areas,),
    ).fetchall()
    return Ledger(
        incidents=Counter(one.kind for one in open_incidents(conn)),
        batches={(area, stage): committed_dt for area, stage, committed_dt in rows},
        queues=queues,
    )


def count_queues(conn: Connection) -> Queues | None:
    """Count what waits; return None if a count takes longer than two seconds."""
    try:
        with conn.transaction():
            conn.execute(
                "SELECT set_config('statement_timeout', %s, TRUE)",
                (f"{_MOST_SECONDS_TO_COUNT}s",),
            )
            return Queues(
                refused=waiting.refused(conn),
                waiting=waiting.rows(conn) | {"counters": waiting.guests(conn)[0]},
            )
    except psycopg.errors.QueryCanceled:
        return None

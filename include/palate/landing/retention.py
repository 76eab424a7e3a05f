"""What STG and the ledger keep, and for how long (ADR 0011).

STG is dropped by whole partitions, from each log's beginning: only what every stage has
taken, nothing waits for, and is older than the set age.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from palate.database import Connection
from palate.engine import Caller, StageRun, open_run
from palate.positions import FeedPartition, Range
from palate.settings import Settings

log = logging.getLogger(__name__)

STAGE = "storage"

# Queries that come while a drop waits for readers of STG queue behind it. So it waits
# only briefly, a few times, and leaves the rest for the next run.
_LOCK_TIMEOUT = "100ms"
_TRIES = 10
_BETWEEN_TRIES_SECONDS = 1.0

# Planning a lookup takes some 10 us per partition, and locks on all of them.
MANY_PARTITIONS = 300


@dataclass(frozen=True)
class StagingPartition:
    """One partition of ``stg.order_events``.

    ``kept`` says why it must not be dropped now; None if it may. ``bytes`` are those on
    disk, or, once ``dropped_dt`` is set, those that were freed.
    """

    id: int
    range: Range
    bytes: int
    kept: str | None = None
    dropped_dt: datetime | None = None
    dropped_by: str | None = None
    last_broker_dt: datetime | None = None

    def __str__(self) -> str:
        """Return its name and its range."""
        return f"stg.order_events_{self.id} ({self.range})"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; times are ISO 8601 in UTC."""
        values = asdict(self) | asdict(self.range.log)
        del values["range"]
        values |= {"from_offset": self.range.start, "to_offset": self.range.end}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
        }


@dataclass
class Retained:
    """What a retention did, or would do: partitions dropped, rows pruned."""

    is_dry_run: bool
    dropped: list[StagingPartition] = field(default_factory=list)
    kept: list[StagingPartition] = field(default_factory=list)
    pruned: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return one line for the task's log."""
        would = "would be " if self.is_dry_run else ""
        size = sum(item.bytes for item in self.dropped) / 2**20
        rows = ", ".join(f"{name} {number}" for name, number in self.pruned.items())
        names = "; ".join(str(item) for item in self.dropped) or "none"
        return (
            f"{STAGE}: partitions {would}dropped: {names}, {size:.1f} MiB; rows "
            f"{would}pruned: {rows or 'none'}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the same for XCom and for JSON; times are ISO 8601 in UTC."""
        return {
            "stage": STAGE,
            "dry_run": self.is_dry_run,
            "dropped": [item.as_dict() for item in self.dropped],
            "kept": [item.as_dict() for item in self.kept],
            "pruned": self.pruned,
        }


def retain(settings: Settings, caller: Caller, *, dry_run: bool = False) -> Retained:
    """Drop old partitions of STG that nothing needs, and prune the ledger.

    Each partition is dropped in a transaction of its own, recorded in
    ``ops.event_partitions``. Without ``PALATE_STG_KEEP_DAYS`` all of STG is kept. What
    is being read is left for the next run.

    :param dry_run: only report what would be done
    """
    with open_run(settings, STAGE, caller) as attempt:
        conn = attempt.conn
        conn.execute("SELECT set_config('lock_timeout', %s, false)", (_LOCK_TIMEOUT,))
        found = Retained(dry_run)
        looked_at = (
            kept_partitions(conn, settings)
            if dry_run
            else _drop_all(attempt, settings, f"{caller.dag_id} {caller.run_id}")
        )
        for item in looked_at:
            (found.kept if item.kept else found.dropped).append(item)
        with conn.transaction(force_rollback=dry_run):
            found.pruned = dict(
                conn.execute(
                    "SELECT pruned_table, pruned_rows FROM ops.prune(%s)",
                    (_days_ago(settings.palate_ops_keep_days),),
                ).fetchall()
            )
        log.info("%s", found)
        return found


def _drop_all(
    attempt: StageRun, settings: Settings, who: str
) -> Iterator[StagingPartition]:
    """Drop from each log's beginning, up to the first partition that is needed.

    Once STG was in use for all tries of a drop, the rest is kept.
    """
    before = _age(settings)
    held: set[FeedPartition] = set()
    in_use = None
    for item in _list_partitions(attempt.conn):
        if before is None:
            return
        if item.range.log in held:
            continue
        kept = in_use
        if not in_use:
            try:
                kept = _drop(attempt, item, before, who)
            except psycopg.errors.LockNotAvailable:
                kept = in_use = (
                    f"somebody was using STG at each of {_TRIES} tries to drop it"
                )
        if kept:
            held.add(item.range.log)
        yield _with(item, kept)


def _drop(
    attempt: StageRun, item: StagingPartition, before: datetime, who: str
) -> str | None:
    """Drop one partition, or return why it is kept.

    :raises psycopg.errors.LockNotAvailable: if STG was in use at every try
    """
    for left in reversed(range(_TRIES)):
        try:
            with attempt.transaction():
                row = attempt.conn.execute(
                    "SELECT stg.drop_partition(%s, %s, %s)", (item.id, before, who)
                ).fetchone()
        except psycopg.errors.LockNotAvailable:
            if not left:
                raise
            time.sleep(_BETWEEN_TRIES_SECONDS)
        else:
            return row[0] if row else None
    return None


def kept_partitions(conn: Connection, settings: Settings) -> list[StagingPartition]:
    """Return the partitions, each with why it is kept, if it is."""
    before = _age(settings)
    held: set[FeedPartition] = set()
    found = []
    for item in _list_partitions(conn):
        kept: str | None
        if before is None:
            kept = "PALATE_STG_KEEP_DAYS is not set"
        elif item.range.log in held:
            kept = "an older partition of its log is kept"
        else:
            row = conn.execute(
                "SELECT stg.why_kept(%s, %s)", (item.id, before)
            ).fetchone()
            kept = row[0] if row else None
        if kept:
            held.add(item.range.log)
        found.append(_with(item, kept))
    return found


def _list_partitions(conn: Connection) -> list[StagingPartition]:
    rows = conn.execute(
        "SELECT p.event_partition_id, p.topic, p.epoch, p.kafka_partition,"
        " p.from_offset, p.to_offset, coalesce(pg_total_relation_size("
        "to_regclass('stg.order_events_' || p.event_partition_id)), 0)"
        " FROM ops.event_partitions AS p WHERE p.dropped_dt IS NULL"
        " ORDER BY p.topic, p.epoch, p.kafka_partition, p.from_offset"
    ).fetchall()
    return [
        StagingPartition(
            id, Range(FeedPartition(topic, epoch, number), start, end), size
        )
        for id, topic, epoch, number, start, end, size in rows
    ]


def _age(settings: Settings) -> datetime | None:
    days = settings.palate_stg_keep_days
    return None if days is None else _days_ago(days)


def _days_ago(days: int) -> datetime:
    # The margin allows for a server's clock that is behind.
    return datetime.now(UTC) - timedelta(days=days, minutes=5)


def _with(item: StagingPartition, kept: str | None) -> StagingPartition:
    return StagingPartition(item.id, item.range, item.bytes, kept)

"""The guests of a recount and their orders, gathered once for all of its chunks.

The versions have no index by guest, which every batch would pay for: finding the orders
of some guests reads all versions. Later versions are found by the ledger.
"""

import logging
from dataclasses import dataclass
from uuid import UUID

from palate.database import Connection
from palate.marts.counted_mart import CountedMart
from palate.positions import FeedPartition, Range, make_ranges, range_sets
from palate.sql import Step, execute_step

log = logging.getLogger(__name__)

NOBODY = UUID(int=0)

# Orders in one transaction: a live run waits at most this long for the stage.
_CHUNK = 20_000

# A batch gets its number when it ends, so open batches are no further apart.
_NUMBERS_APART = 10_000


@dataclass(frozen=True)
class Part:
    """What one transaction counts: a chunk of guests, or those with changed dishes."""

    chunk: int | None
    until: UUID
    guests: int


@dataclass
class Work:
    """What was gathered, and as of when.

    The transaction ``since``, and later ones, may have added versions unseen.
    """

    parts: list[Part]
    guests: int
    table: int
    since: str
    batch_id: int


def gather(
    conn: Connection,
    mart: CountedMart,
    ranges: list[Range],
    statements: dict[str, list[Step]],
    done: UUID | None,
) -> Work:
    """Gather the guests after the last one done, and their orders; cut them to chunks.

    This takes long for a long history, so no lock is held. Versions that are loaded
    meanwhile are added before they are counted.
    """
    table, since, batch_id = versions_table(conn, mart), *now(conn)
    made = statements["gather"]
    with conn.transaction():
        tables = [one.makes for one in made if one.makes and one.is_kept]
        conn.execute(f"DROP TABLE IF EXISTS {', '.join(tables)}")
        conn.execute("SET LOCAL enable_seqscan = off")
        make_ranges(conn, ranges)
        for one in made:
            is_scan = one.name == "planned_orders"
            conn.execute(f"SET LOCAL enable_seqscan = {'on' if is_scan else 'off'}")
            values = {"done_until": done or NOBODY, "orders": _CHUNK}
            execute_step(conn, one, values)
        for name in {"chunk_orders", "guest_chunks"} & set(tables):
            conn.execute(f"CREATE INDEX ON {name} (chunk)")
        rows = conn.execute(
            f"SELECT chunk, max({mart.contributions.guest.column}::text)::uuid,"
            " count(*) FROM guest_chunks GROUP BY chunk ORDER BY chunk"
        ).fetchall()
    parts = [Part(*row) for row in rows]
    guests = sum(part.guests for part in parts)
    log.info("Gathered %s guests in %s chunks.", guests, len(parts))
    if done is None and statements["dishes"]:
        parts.insert(0, Part(None, NOBODY, 0))
    return Work(parts, guests, table, since, batch_id)


def add_since(
    conn: Connection, mart: CountedMart, work: Work, steps: list[Step], chunk: int
) -> None:
    """Add the orders whose versions were loaded after they were gathered.

    The ledger has the positions of new ones, and of those that were put back.
    """
    rows = conn.execute(
        "SELECT DISTINCT r.topic, r.epoch, r.kafka_partition, r.from_offset,"
        " r.to_offset FROM ops.batches AS b INNER JOIN ops.batch_ranges AS r"
        " ON b.batch_id = r.batch_id"
        " WHERE (b.stage = %(stage)s OR starts_with(b.stage, %(stage)s || ':'))"
        " AND b.batch_id > %(batch_id)s AND age(b.xmin) <= age(%(since)s::xid)",
        {
            "stage": mart.upstream,
            "batch_id": work.batch_id - _NUMBERS_APART,
            "since": work.since,
        },
    ).fetchall()
    came = range_sets.merged(
        Range(FeedPartition(*log), start, end) for *log, start, end in rows
    )
    if came and steps:
        make_ranges(conn, came)
        for one in steps:
            execute_step(conn, one, {"chunk": chunk})


def versions_table(conn: Connection, mart: CountedMart) -> int:
    """Return the id of the table that has the versions' name now."""
    row = conn.execute(
        "SELECT %s::regclass::oid::bigint", (mart.rows_table,)
    ).fetchone()
    return int(row[0]) if row else 0


def now(conn: Connection) -> tuple[str, int]:
    """Return the oldest open transaction, and the number of the newest batch."""
    row = conn.execute(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text,"
        " (SELECT coalesce(max(batch_id), 0) FROM ops.batches)"
    ).fetchone()
    return (row[0], row[1]) if row else ("0", 0)

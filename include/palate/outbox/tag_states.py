"""The outbox of tags: states to be published, entered where the tags change.

A state is entered in the transaction that changes the tags, so neither exists without
the other. It is the guest's whole state: a newer one replaces one that still waits, and
the outbox never has more rows than there are guests.
"""

import json
from dataclasses import dataclass

from palate.database import Connection
from palate.engine import Batch
from palate.names import TAG_FEED
from palate.positions import FeedPartition, Range, watermarks
from palate.sql import execute, render

_SQL = "areas/food/publish"

# Versions are the offsets of a log, with gaps: so publishing has watermarks.
LOG = FeedPartition(TAG_FEED, 0, 0)

_MANY = 2_000

# Shared: making an encoder costs more than encoding a state.
as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class State:
    """All tags of a guest at a version: pairs of a tag and since when it is held.

    ``guest_id`` is the guest's own id. The state with the greater version is newer.
    """

    guest_id: str
    version: int
    tags: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """The tags, sorted by code point."""
        return [tag for tag, _ in self.tags]

    def as_message(self) -> bytes:
        """Return the state as JSON; the same state gives the same bytes."""
        value = {
            "user_id": self.guest_id,
            "tags": [{"tag": tag, "since": since} for tag, since in self.tags],
            "version": self.version,
        }
        return as_json(value).encode()


def enter_tags(conn: Connection, batch: Batch) -> None:
    """Enter the tags of the guests whose tags this open batch has changed.

    Expects the temporary table ``changed_guests (user_id uuid)``, and ``cdm.user_tags``
    as it will be. Each state gets a version greater than any before: one session at a
    time assigns them, from here to its commit, so they ascend in commit order.
    """
    values = {"load_dt": batch.load_dt}
    taken = execute(conn, render(f"{_SQL}/next_versions.sql"), values).fetchone()
    if taken is None:
        return
    last_version, guests = taken
    values |= {"last_version": last_version, "guests": guests}
    # After a large change the statistics say that nobody holds a tag. Row by row, by
    # whatever index then looks cheapest, 50,000 guests took more than five minutes.
    joins_rows = "off" if guests >= _MANY else "on"
    conn.execute(f"SET LOCAL enable_nestloop = {joins_rows}")
    execute(conn, render(f"{_SQL}/changed_states.sql"))
    conn.execute("SET LOCAL enable_nestloop = on")
    execute(conn, render(f"{_SQL}/enter_tags.sql"), values)
    batch.counts["guests_entered"] += guests


def enter_all(conn: Connection, batch: Batch) -> None:
    """Enter the tags of every guest that ever had one, as new states."""
    conn.execute(
        "CREATE TEMP TABLE changed_guests ON COMMIT DROP AS"
        " SELECT DISTINCT user_id FROM cdm.user_tags"
    )
    enter_tags(conn, batch)


def waiting(conn: Connection, stage: str, limit: int) -> list[State]:
    """Return the oldest states that a stage has not published, at most ``limit``."""
    rows = conn.execute(
        "SELECT guest_id, version, tags FROM ops.tag_outbox"
        " WHERE version >= %s ORDER BY version LIMIT %s",
        (watermarks(conn, stage).get(LOG, 0), limit),
    )
    return [
        # Sorted here: the database's order depends on its locale.
        State(
            guest_id,
            version,
            tuple(sorted((one["tag"], one["since"]) for one in tags)),
        )
        for guest_id, version, tags in rows
    ]


def taken(conn: Connection, stage: str, states: list[State]) -> Range:
    """Return the range that a stage has done once it has published these states."""
    start = watermarks(conn, stage).get(LOG, 0)
    return Range(LOG, start, states[-1].version + 1)


def forget(conn: Connection, stages: tuple[str, ...]) -> int:
    """Delete the states that every one of the stages has published.

    A row that is being replaced is skipped: waiting for it could be a deadlock.
    """
    return conn.execute(
        "DELETE FROM ops.tag_outbox WHERE version IN (SELECT o.version"
        " FROM ops.tag_outbox AS o WHERE o.version < (SELECT"
        " CASE WHEN count(*) = %(number)s THEN min(w.next_offset) ELSE 0 END"
        " FROM ops.watermarks AS w WHERE w.stage = ANY(%(stages)s)"
        " AND w.topic = %(feed)s) FOR UPDATE SKIP LOCKED)",
        {"number": len(stages), "stages": list(stages), "feed": TAG_FEED},
    ).rowcount

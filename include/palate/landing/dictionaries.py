"""Dictionary entries from Redis, staged as messages of their own feed.

A missing entry blocks nothing. Its id is requested again with growing pauses (contract,
section 6), and the marts correct themselves once it arrives. The same holds for a
restaurant whose orders have a dish that its known menu lacks.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from palate.clients import redis_connection
from palate.database import Connection
from palate.engine import Batch, Caller, Outcome, open_run
from palate.names import DICTIONARY_FEED
from palate.positions import (
    FeedPartition,
    Range,
    make_ranges,
    open_ranges,
    row_chunks,
    watermarks,
)
from palate.settings import Settings
from palate.sources import Area
from palate.sql import execute, render
from palate.text import escape_controls

_SQL = "areas/food/sources/dictionaries"

log = logging.getLogger(__name__)

STAGE = DICTIONARY_FEED
NAMING_STAGE = "lookup"
_FEED = FeedPartition(DICTIONARY_FEED, 0, 0)

# Loads into the vault what was staged; passed in, as the vault is a later stage.
Load = Callable[[Settings, Caller], Outcome]
_NOTED = {"unknown": "unknown_ids", "lacking": "dishes_not_on_menu"}
_BATCH_KEYS = 2_000
_DUE = (
    "SELECT id FROM ops.dictionary_lookups WHERE next_try_dt <= now()"
    " UNION SELECT restaurant_id FROM ops.menu_lookups WHERE next_try_dt <= now()"
)
_ALL = (
    "SELECT user_id AS id FROM dds.h_user"
    " UNION SELECT restaurant_id FROM dds.h_restaurant"
)
_REDIS = (
    "the dictionaries",
    "Orders load without it; names and categories follow once it is mended.",
)


def run(settings: Settings, area: Area, caller: Caller, load: Load) -> Outcome:
    """Request the ids that are due, stage what was found, and load it.

    :raises ServiceUnavailableError: if Redis does not answer; the ids stay due
    """
    _name_unknown(settings, area, caller)
    return _read(settings, caller, _DUE, load)


def sync(settings: Settings, area: Area, caller: Caller, load: Load) -> Outcome:
    """Read every id that was ever named, and load what changed.

    :raises ServiceUnavailableError: if Redis does not answer; what was read is staged
    """
    _name_unknown(settings, area, caller)
    return _read(settings, caller, _ALL, load)


def is_due(conn: Connection) -> bool:
    """Return whether an id is due for a request."""
    return conn.execute(f"{_DUE} LIMIT 1").fetchone() is not None


def _name_unknown(settings: Settings, area: Area, caller: Caller) -> None:
    # The ids come from the orders in the vault.
    with open_run(settings, NAMING_STAGE, caller) as attempt:
        while ranges := row_chunks.first(
            attempt.conn,
            open_ranges(attempt.conn, NAMING_STAGE, [area.vault]),
            settings.palate_chunk_positions,
            area.rows_table,
        ):
            with attempt.batch(ranges) as batch:
                make_ranges(attempt.conn, ranges)
                for noted in ("unknown", "lacking"):
                    rows = execute(
                        attempt.conn,
                        render(f"{_SQL}/name_{noted}.sql"),
                        {"load_dt": batch.load_dt},
                    )
                    batch.counts[_NOTED[noted]] = rows.rowcount


def _read(settings: Settings, caller: Caller, query: str, load: Load) -> Outcome:
    problems: dict[str, str] = {}
    with open_run(settings, STAGE, caller) as attempt:
        ids = [row[0] for row in attempt.conn.execute(f"{query} ORDER BY id")]
        if ids:
            with redis_connection.open_redis(settings, *_REDIS) as client:
                for start in range(0, len(ids), _BATCH_KEYS):
                    keys = ids[start : start + _BATCH_KEYS]
                    found = redis_connection.read_values(client, keys)
                    with attempt.batch([]) as batch:
                        problems |= _stage(attempt.conn, batch, keys, found)
                    attempt.outcome.counts["asked"] += len(keys)
        attempt.outcome.counts["not_found"] = len(problems)
        outcome = attempt.outcome
    for problem in sorted(set(problems.values())):
        ids = sorted(id for id, found in problems.items() if found == problem)
        log.warning(
            "%s dictionary entries count as missing, %s: %s%s",
            len(ids),
            problem,
            escape_controls(", ".join(repr(id) for id in ids[:5])),
            ", ..." if len(ids) > 5 else ".",
        )
    if outcome.counts["staged"]:
        outcome.counts.update(load(settings, caller).counts)
    return outcome


def check_entries(conn: Connection, keys: Sequence[str], found: Sequence[Any]) -> None:
    """Create ``found_entries`` and ``judged_entries`` in an open transaction."""
    conn.execute(
        'CREATE TEMP TABLE found_entries (id text COLLATE "C", value bytea)'
        " ON COMMIT DROP"
    )
    with conn.cursor() as cursor, cursor.copy("COPY found_entries FROM STDIN") as copy:
        for row in zip(keys, found, strict=True):
            copy.write_row(row)
    conn.execute(render(f"{_SQL}/judged_entries.sql"))


def _stage(
    conn: Connection, batch: Batch, keys: Sequence[str], found: Sequence[Any]
) -> dict[str, str]:
    """Stage usable, new entries; return the problem of each unusable id."""
    check_entries(conn, keys, found)
    next_offset = watermarks(conn, STAGE).get(_FEED, 0)
    rows = execute(
        conn,
        render(f"{_SQL}/stage.sql"),
        {
            "feed": DICTIONARY_FEED,
            "next_offset": next_offset,
            "load_dt": batch.load_dt,
        },
    ).fetchall()
    staged = sum(is_staged for _, _, is_staged in rows)
    if staged:
        batch.ranges = [Range(_FEED, next_offset, next_offset + staged)]
    batch.counts["staged"] = staged
    problems = {id: problem for id, problem, _ in rows if problem}
    usable = [id for id, problem, _ in rows if not problem]
    conn.execute("DELETE FROM ops.dictionary_lookups WHERE id = ANY(%s)", (usable,))
    for statement in ("menu_has", "menu_lacks"):
        execute(
            conn,
            render(f"{_SQL}/{statement}.sql"),
            {"load_dt": batch.load_dt},
        )
    execute(
        conn,
        render(f"{_SQL}/ask_again.sql"),
        {
            "load_dt": batch.load_dt,
            "ids": list(problems),
            "problems": list(problems.values()),
        },
    )
    return problems

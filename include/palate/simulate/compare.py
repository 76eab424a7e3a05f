"""The marts and tags of the warehouse compared with the truth, row by row."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from palate.errors import ServiceUnavailableError
from palate.simulate.errors import WarehouseError
from palate.simulate.journal import Journal
from palate.simulate.model import Entry, Position, Version
from palate.simulate.truth import TagRule, Truth, held_tags, key_of

_PRODUCTS = """
SELECT user_id, product_id, product_name, order_cnt, pieces_cnt, amount
FROM cdm.user_product_counters
"""
_CATEGORIES = """
SELECT user_id, category_id, category_name, order_cnt, pieces_cnt, amount
FROM cdm.user_category_counters
"""
_REFUSED = """
SELECT topic, kafka_partition, kafka_offset, reason
FROM stg.rejected_messages
WHERE topic = ANY(%(topics)s)
"""
_STAGED = """
SELECT
    count(*),
    (
        SELECT count(*)
        FROM ops.event_partitions
        WHERE topic = ANY(%(topics)s) AND dropped_dt IS NOT NULL
    )
FROM stg.order_events
WHERE topic = ANY(%(topics)s)
"""
_ENTRIES = """
SELECT id, to_char(version_dt, 'YYYY-MM-DD HH24:MI:SS')
FROM stg.dictionary_entries
"""

_RULES = "SELECT kind, name, threshold, tag FROM cdm.tag_rules WHERE active"
_TAGS = "SELECT user_id, tag FROM cdm.user_tags WHERE until_dt IS NULL"

EntryKeys = set[tuple[str, str]]


@dataclass
class Comparison:
    """What differs between the warehouse and the truth."""

    rows: dict[str, int] = field(default_factory=dict)
    """how many rows there must be, by table"""
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """what may explain a difference, or was left out of the comparison"""

    @property
    def equal(self) -> bool:
        """Return whether there is no difference."""
        return not self.differences


@dataclass
class _OfEntries:
    """A truth that gets some entries only."""

    truth: Truth
    staged: EntryKeys
    others: EntryKeys = field(default_factory=set)
    newest: dict[str, str] = field(default_factory=dict)

    def add_message(self, version: Version, position: Position, broker_ms: int) -> None:
        self.truth.add_message(version, position, broker_ms)

    def add_refused(self, reason: str, position: Position) -> None:
        self.truth.add_refused(reason, position)

    def add_entry(self, entry: Entry) -> None:
        key = (entry.id, entry.version_dt)
        self.newest[entry.id] = entry.version_dt
        if key in self.staged:
            self.truth.add_entry(entry)
        else:
            self.others.add(key)

    def notes(self) -> list[str]:
        """Return which entries were left out, and why."""
        waiting = len(self.others & self.newest.items())
        replaced = len(self.others) - waiting
        notes = []
        if waiting:
            notes.append(
                f"{waiting:,} dictionary entries that Redis has are not staged: no "
                "order names them, or they weren't read yet (`palate dictionaries "
                "sync` reads all)"
            )
        if replaced:
            notes.append(
                f"{replaced:,} versions of dictionary entries were replaced in Redis "
                "before they were read; they don't count"
            )
        return notes


def compare(dsn: str, journal: Journal) -> Comparison:
    """Compare the counter marts, the tags and the refused messages with what was sent.

    Redis has only the newest version of an entry. Which of the earlier ones were seen
    depends on when they were read, so the ids and times of staged versions come from
    the warehouse (their content is known). So do the tag rules, which people add there.
    All is read in one snapshot.

    :param dsn: a libpq URI
    :raises ServiceUnavailableError: if PostgreSQL does not answer
    :raises WarehouseError: if a table can't be read
    """
    try:
        connection = psycopg.connect(dsn, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise ServiceUnavailableError(
            f"PostgreSQL (the warehouse) can't be reached: {_first_line(error)}. Check "
            "that it runs (`make status`) and that DWH_DSN is right."
        ) from None
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection:
            return _compare(connection, journal)
    except psycopg.Error as error:
        raise WarehouseError(
            f"The warehouse can't be compared: {_first_line(error)}. If tables are "
            "missing, run `palate migrate`."
        ) from None


def _compare(connection: psycopg.Connection[Any], journal: Journal) -> Comparison:
    truth, result = Truth(), Comparison()
    entries = _OfEntries(truth, set(connection.execute(_ENTRIES)))
    if cut_off := journal.replay(entries):
        result.notes.append(
            f"{', '.join(path.name for path in cut_off)}: this run goes on or was cut "
            "off, so the last messages may not be known here"
        )
    result.notes += entries.notes()
    sent = truth.sent()
    topics = sorted({topic for topic, _ in sent})
    staged, dropped = connection.execute(_STAGED, {"topics": topics}).fetchone() or (
        0,
        0,
    )
    expected = sum(map(len, sent.values()))
    if staged != expected:
        gone = f"; retention has dropped {dropped} partitions" if dropped else ""
        result.notes.append(
            f"{expected:,} messages were sent, {staged:,} are in stg.order_events{gone}"
        )
    result.rows["sent"] = expected
    own_ids = {key_of(own): own for own in truth.ids()}
    products, categories = truth.product_counters(), truth.category_counters()
    for table, query, rows in (
        ("cdm.user_product_counters", _PRODUCTS, products),
        ("cdm.user_category_counters", _CATEGORIES, categories),
    ):
        result.rows[table] = len(rows)
        actual = connection.execute(query)
        result.differences += _differences(table, rows, actual, own_ids)
    rules = [TagRule(*row) for row in connection.execute(_RULES)]
    held = held_tags(rules, products, categories)
    result.rows["cdm.user_tags"] = len(held)
    result.differences += _tag_differences(held, connection.execute(_TAGS), own_ids)
    _compare_refused(connection, truth, topics, result)
    return result


def _differences(
    table: str,
    expected: Iterable[tuple[Any, ...]],
    actual: Iterable[tuple[Any, ...]],
    own_ids: dict[UUID, str],
) -> list[str]:
    wanted = {row[:2]: row[2:] for row in expected}
    there: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in actual:
        there.setdefault(row[:2], []).append(tuple(row[2:]))
    found = []
    for key in sorted(wanted.keys() | there.keys()):
        must, have = wanted.get(key), there.get(key, [])
        if [must] == have:
            continue
        user, thing = (own_ids.get(part, str(part)) for part in key)
        found.append(
            f"{table}: user {user}, {thing}: must be {_row(must)}, is "
            + (" and ".join(_row(row) for row in have) or "missing")
        )
    return found


def _tag_differences(
    expected: set[tuple[UUID, str]],
    actual: Iterable[tuple[Any, ...]],
    own_ids: dict[UUID, str],
) -> list[str]:
    there = Counter((user, tag) for user, tag in actual)
    found = []
    for user, tag in sorted(expected | there.keys()):
        must, have = (user, tag) in expected, there[user, tag]
        if must != have:
            found.append(
                f"cdm.user_tags: user {own_ids.get(user, str(user))}, {tag}: must be "
                f"{'held' if must else 'missing'}, is held in {have} rows"
            )
    return found


def _compare_refused(
    connection: psycopg.Connection[Any],
    truth: Truth,
    topics: list[str],
    result: Comparison,
) -> None:
    there = {
        Position(*row[:3]): row[3]
        for row in connection.execute(_REFUSED, {"topics": topics})
    }
    must = truth.refused
    result.rows["stg.rejected_messages"] = len(must)
    foreign = 0
    for position in sorted(must.keys() | there.keys()):
        wanted, actual = must.get(position), there.get(position)
        if wanted == actual:
            continue
        if wanted is None and not truth.has_sent(position):
            foreign += 1
            continue
        result.differences.append(
            f"stg.rejected_messages: {position.topic} {position.partition}:"
            f"{position.offset}: must be {wanted or 'accepted'}, is "
            f"{actual or 'not refused'}"
        )
    if foreign:
        result.notes.append(f"{foreign:,} refused messages were sent by others")


def _row(row: tuple[Any, ...] | None) -> str:
    if row is None:
        return "missing"
    name, orders, pieces, amount = row
    return f"{name!r} in {orders} orders, {pieces} pieces, {amount} roubles"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0]

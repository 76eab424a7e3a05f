"""The vault stage: staged positions become hubs, links and satellites.

A batch parses its messages once, into temporary tables, and loads every table from
them by the template of its kind. Loading a batch again adds nothing.
"""

import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import Any


from palate.database import Connection
from palate.definitions import Hub, Kind, Link, Satellite, load_vault
from palate.names import DICTIONARY_FEED, HUB_KEY_NAMESPACE, ORIGIN_HEADER, SQL_FOLDER
from palate.positions import Range, first, open_ranges
from palate.render import execute, execute_step, render
from palate.settings import Form, Settings
from palate.shape import load_shapes
from palate.stage import Batch, Caller, Outcome, open_run

log = logging.getLogger(__name__)

STAGE = "vault"
UPSTREAM = ("drain", DICTIONARY_FEED)

_TEMPLATES = {Kind.HUB: "hub", Kind.LINK: "link", Kind.SATELLITE: "satellite"}


def run(settings: Settings, caller: Caller) -> Outcome:
    """Load what is staged and not in the vault yet, in chunks.

    A repeated task loads its own ranges again first; that adds nothing to what is
    there, and puts back what is missing.
    """
    limit = settings.palate_chunk_positions
    with open_run(settings, STAGE, caller) as attempt:
        for item in attempt.own_ranges():
            for ranges in _chunks(item, limit):
                with attempt.batch(ranges, is_repeat=True) as batch:
                    load(attempt.conn, settings, batch)
        if attempt.was_finished():
            return attempt.outcome
        while ranges := first(open_ranges(attempt.conn, STAGE, UPSTREAM), limit):
            with attempt.batch(ranges) as batch:
                load(attempt.conn, settings, batch)
        return attempt.outcome


def load(conn: Connection, settings: Settings, batch: Batch) -> None:
    """Parse the ranges of an open batch and load every table of the vault."""
    topics = {item.log.topic for item in batch.ranges}
    make_ranges(conn, settings, batch.ranges)
    values = {
        "load_dt": batch.load_dt,
        "namespace": HUB_KEY_NAMESPACE,
        "origin_header": ORIGIN_HEADER,
        "enriched_topics": [
            topic
            for topic, form in settings.palate_topics.items()
            if form is Form.ENRICHED
        ],
    }
    relations: set[str] = set()
    for source in _sources(topics):
        for statement in parse_steps(source):
            made, number = execute_step(conn, statement, values, analyze=False)
            if made:
                relations.add(made.removeprefix("batch_"))
                batch.counts[made.removeprefix("batch_")] += number
    for table, statement in load_statements(frozenset(relations)):
        batch.counts[table] += execute(conn, statement, values).rowcount


@lru_cache(maxsize=8)
def parse_steps(source: str) -> tuple[str, ...]:
    """Return the statements that parse one source's messages, in order."""
    folder = SQL_FOLDER / "stg" / source
    shape = folder / "shape.yaml"
    shapes = load_shapes(shape) if shape.exists() else []
    return tuple(
        render(str(path.relative_to(SQL_FOLDER)), shapes=shapes)
        for path in sorted((folder / "parse").glob("*.sql"))
    )


@lru_cache(maxsize=16)
def load_statements(relations: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Return (table, statement) for each table that the parsed relations feed."""
    vault = load_vault()
    found = []
    for item in vault.in_load_order:
        sources = [source for source in item.source if source in relations]
        if sources:
            found.append((item.table, render_load(item, sources)))
    return tuple(found)


def render_load(
    item: Hub | Link | Satellite, sources: Iterable[str] | None = None
) -> str:
    """Return the SQL that loads one table from the relations of an open batch.

    The statement expects the parameter ``load_dt``.
    """
    context: dict[str, Any] = load_vault().context(item)
    context["sources"] = list(sources or item.source)
    return render(f"dds/_templates/{_TEMPLATES[item.kind]}.sql", **context)


def _sources(topics: set[str]) -> list[str]:
    found = ["dictionaries"] if DICTIONARY_FEED in topics else []
    return (["orders"] if topics - {DICTIONARY_FEED} else []) + found


def make_ranges(conn: Connection, settings: Settings, ranges: list[Range]) -> None:
    """Put the ranges of an open batch where its statements find them."""
    conn.execute(
        "CREATE TEMP TABLE batch_ranges ("
        ' topic text COLLATE "C", epoch integer, kafka_partition integer,'
        " from_offset bigint, to_offset bigint, form text"
        ") ON COMMIT DROP"
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO batch_ranges VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (
                    item.log.topic,
                    item.log.epoch,
                    item.log.partition,
                    item.start,
                    item.end,
                    settings.palate_topics.get(item.log.topic),
                )
                for item in ranges
            ],
        )


def _chunks(item: Range, limit: int) -> Iterable[list[Range]]:
    for start in range(item.start, item.end, limit):
        yield [Range(item.log, start, min(start + limit, item.end))]



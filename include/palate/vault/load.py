"""Load the relations of a batch into hubs, links and satellites."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from palate.database import Connection
from palate.engine import Batch
from palate.names import (
    DICTIONARY_FEED,
)
from palate.positions import make_ranges
from palate.settings import Settings
from palate.sql import execute, render
from palate.table_set import TableSet
from palate.vault.compare import count_differing
from palate.vault.definitions import Hub, Link, Satellite, load_vault
from palate.vault.parse import documents_of, parse
from palate.vault.refused_share import count_refused

# The sources of topics, as their folders.
SOURCES = ("orders", "dictionaries")


def load(
    conn: Connection,
    settings: Settings,
    batch: Batch,
    only: str | None = None,
    *,
    is_careful: bool = True,
    tables: TableSet = TableSet.LIVE,
) -> None:
    """Parse the ranges of an open batch and load the vault's tables, or only one.

    :param is_careful: look up every row before it is added; otherwise rows of an order
        that its hub lacks count as new, and the batch fails if one exists already
    """
    topics = {item.log.topic for item in batch.ranges}
    # A new table takes what the others accepted: no message is evaluated again for it.
    may_accept = only is None and tables is TableSet.LIVE
    make_ranges(conn, settings, batch.ranges, may_accept=may_accept)
    sources = _sources(topics)
    parsed = parse(conn, sources, batch.load_dt, tables)
    batch.counts.update(parsed)
    for documents in documents_of(sources):
        count_refused(conn, batch, documents)
    make_known(conn, parsed, is_careful=is_careful, tables=tables)
    for table, statement in load_statements(frozenset(parsed), tables):
        if only not in (None, table):
            continue
        loaded = execute(conn, statement, {"load_dt": batch.load_dt})
        batch.counts[table] += loaded.rowcount
    if batch.is_repeat:
        batch.counts["differing"] += count_differing(conn, parsed)


def make_known(
    conn: Connection,
    relations: Iterable[str],
    *,
    is_careful: bool,
    tables: TableSet = TableSet.LIVE,
) -> None:
    """Record which keys of the clustered hubs may have rows already."""
    for statement in known_statements(frozenset(relations), tables):
        execute(conn, statement, {"is_careful": is_careful})


@lru_cache(maxsize=32)
def load_statements(
    relations: frozenset[str], tables: TableSet = TableSet.LIVE
) -> tuple[tuple[str, str], ...]:
    """Return (table, statement) for each table that the parsed relations feed."""
    vault = load_vault()
    found = []
    for item in vault.in_load_order:
        sources = [source for source in item.source if source in relations]
        if sources:
            found.append((item.table, render_load(item, sources, tables)))
    return tuple(found)


@lru_cache(maxsize=32)
def known_statements(
    relations: frozenset[str], tables: TableSet = TableSet.LIVE
) -> tuple[str, ...]:
    """Return the statements that record the known keys of the clustered hubs."""
    vault = load_vault()
    return tuple(
        render(
            "engine/vault/known.sql",
            tables,
            **vault.context(item) | {"sources": sources},
        )
        for item in vault.in_load_order
        if isinstance(item, Hub) and item.clustered
        if (sources := [source for source in item.source if source in relations])
    )


def render_load(
    item: Hub | Link | Satellite,
    sources: Iterable[str] | None = None,
    tables: TableSet = TableSet.LIVE,
) -> str:
    """Return the SQL that loads one table from the relations of an open batch.

    The statement expects the parameter ``load_dt``.
    """
    context: dict[str, Any] = load_vault().context(item)
    context["sources"] = list(sources or item.source)
    return render(f"engine/vault/{item.kind.template}.sql", tables, **context)


def _sources(topics: set[str]) -> list[str]:
    orders, dictionaries = SOURCES
    found = [dictionaries] if DICTIONARY_FEED in topics else []
    return ([orders] if topics - {DICTIONARY_FEED} else []) + found

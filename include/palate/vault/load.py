"""Load the relations of a batch into hubs, links and satellites."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from palate.database import Connection
from palate.engine import Batch
from palate.positions import make_ranges
from palate.settings import Settings
from palate.sources import Area, catalog
from palate.sql import execute, render
from palate.table_set import TableSet
from palate.vault.compare import count_differing
from palate.vault.definitions import Vault, load_vault
from palate.vault.kinds import Hub, Table
from palate.vault.parse import documents_of, parse
from palate.vault.refused_share import count_refused


def load(
    conn: Connection,
    settings: Settings,
    area: Area,
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
    logs = {item.log.topic for item in batch.ranges}
    # A new table takes what the others accepted: no message is evaluated again for it.
    may_accept = only is None and tables is TableSet.LIVE
    forms = catalog.forms(settings, area)
    make_ranges(conn, batch.ranges, forms, may_accept=may_accept)
    sources = catalog.sources_for(settings, area, logs)
    parsed = parse(conn, sources, batch.load_dt, tables)
    batch.counts.update(parsed)
    for documents in documents_of(sources):
        count_refused(conn, batch, documents)
    make_known(conn, area.name, parsed, is_careful=is_careful, tables=tables)
    for table, statement in load_statements(area.name, frozenset(parsed), tables):
        if only not in (None, table):
            continue
        loaded = execute(conn, statement, {"load_dt": batch.load_dt})
        batch.counts[table] += loaded.rowcount
    if batch.is_repeat:
        batch.counts["differing"] += count_differing(conn, area.name, parsed)


def make_known(
    conn: Connection,
    area: str,
    relations: Iterable[str],
    *,
    is_careful: bool,
    tables: TableSet = TableSet.LIVE,
) -> None:
    """Record which keys of the clustered hubs may have rows already."""
    for statement in known_statements(area, frozenset(relations), tables):
        execute(conn, statement, {"is_careful": is_careful})


@lru_cache(maxsize=32)
def load_statements(
    area: str, relations: frozenset[str], tables: TableSet = TableSet.LIVE
) -> tuple[tuple[str, str], ...]:
    """Return (table, statement) for each table that the parsed relations feed."""
    vault = load_vault(area)
    found = []
    for item in vault.in_load_order:
        sources = [source for source in item.source if source in relations]
        if sources:
            found.append((item.table, render_load(vault, item, sources, tables)))
    return tuple(found)


@lru_cache(maxsize=32)
def known_statements(
    area: str, relations: frozenset[str], tables: TableSet = TableSet.LIVE
) -> tuple[str, ...]:
    """Return the statements that record the known keys of the clustered hubs."""
    vault = load_vault(area)
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
    vault: Vault,
    item: Table,
    sources: Iterable[str] | None = None,
    tables: TableSet = TableSet.LIVE,
) -> str:
    """Return the SQL that loads one table from the relations of an open batch.

    The statement expects the parameter ``load_dt``.
    """
    context: dict[str, Any] = vault.context(item)
    context["sources"] = list(sources or item.source)
    return render(f"engine/vault/{item.template}.sql", tables, **context)

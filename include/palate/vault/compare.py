"""The vault's rows against what the messages of an open batch say.

The load adds what is missing and changes nothing. A row that says something else was
changed by a person, or by a bug; only a rebuild writes it anew.
"""

import logging
from collections.abc import Iterable
from functools import lru_cache

from palate.database import Connection
from palate.names import EXAMPLES, LOAD_DT, LOAD_SRC
from palate.sql import execute, render
from palate.text import escape_controls
from palate.vault.definitions import load_vault
from palate.vault.kinds import Hub, Link

log = logging.getLogger(__name__)


def count_differing(conn: Connection, area: str, relations: Iterable[str]) -> int:
    """Return how many rows of the vault differ; log some of them.

    :param relations: what the open batch has parsed
    """
    number = 0
    parsed = set(relations)
    for item in load_vault(area).in_load_order:
        table = item.table
        sources = [source for source in item.source if source in parsed]
        statement = (
            differing_statement(area, table, tuple(sources)) if sources else None
        )
        if statement:
            rows = execute(conn, statement).fetchall()
            number += len(rows)
            for row in rows[:EXAMPLES]:
                log.error(
                    "dds.%s differs from what its message says, at %s. It is left as "
                    "it is; see docs/operations.md, 'The vault differs'.",
                    table,
                    escape_controls(", ".join(str(cell) for cell in row)),
                )
    return number


@lru_cache(maxsize=64)
def differing_statement(area: str, table: str, sources: tuple[str, ...]) -> str | None:
    """Return the query for rows that differ, made from the load's own records."""
    vault = load_vault(area)
    item = vault.tables[table]
    context = vault.context(item)
    # A link's key is made while it is inserted, from the keys that verify it.
    left_out = {*context["primary_key"], *context["least"], LOAD_DT, LOAD_SRC}
    if isinstance(item, Link):
        left_out.add(item.key)
    compared = [name for name in context["columns"] if name not in left_out]
    if not compared or (isinstance(item, Hub) and not item.clustered):
        return None
    return render(
        "engine/vault/differing.sql",
        **context | {"sources": sources, "template": item.template},
        compared=compared,
    )

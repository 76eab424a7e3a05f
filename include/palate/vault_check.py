"""The vault's rows against what the messages of an open batch say.

The load adds what is missing and changes nothing. A row that is there and says
something else was changed by hand, or by a bug; only a rebuild writes it anew.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from palate.database import Connection
from palate.definitions import Hub, Link, load_vault
from palate.render import execute

log = logging.getLogger(__name__)

_EXAMPLES = 20


def count_differing(
    conn: Connection, loads: Iterable[tuple[str, str]], load_dt: datetime
) -> int:
    """Return how many rows of the vault differ; log some of them.

    :param loads: (table, statement) of each load of the batch, whose rows are meant
    """
    number = 0
    for table, load in loads:
        statement = differing_statement(table, load)
        if statement:
            rows = execute(conn, statement, {"load_dt": load_dt}).fetchall()
            number += len(rows)
            for row in rows[:_EXAMPLES]:
                log.error(
                    "dds.%s differs from what its message says, at %s. It is left as "
                    "it is; see docs/operations.md, 'The vault differs'.",
                    table,
                    ", ".join(str(cell) for cell in row),
                )
    return number


@lru_cache(maxsize=64)
def differing_statement(table: str, load: str) -> str | None:
    """Return the query for rows that differ, made from the load's own records."""
    vault = load_vault()
    item = vault.tables[table]
    context = vault.context(item)
    # The key of a link is made while it is inserted, from the keys it is checked by.
    left_out = {*context["primary_key"], *context["least"], "load_dt", "load_src"}
    if isinstance(item, Link):
        left_out.add(item.key)
    columns = [name for name in context["columns"] if name not in left_out]
    if not columns or (isinstance(item, Hub) and not item.clustered):
        return None
    records, _, _ = load.partition("\nINSERT INTO ")
    keys = context["primary_key"]
    same = " AND ".join(f"t.{name} = s.{name}" for name in keys)
    return (
        f"{records}\nSELECT {', '.join(f's.{name}' for name in keys)}\n"
        "FROM unique_source_records AS s\n"
        f"CROSS JOIN LATERAL (SELECT {', '.join(f't.{name}' for name in columns)}"
        f" FROM dds.{table} AS t WHERE {same} OFFSET 0) AS t\n"
        f"WHERE ({', '.join(f's.{name}' for name in columns)})"
        f" IS DISTINCT FROM ({', '.join(f't.{name}' for name in columns)})\n"
        f"ORDER BY {', '.join(f's.{name}' for name in keys)}"
    )

"""What each table was made from: ``ops.definitions``.

Rows keep the meaning they were loaded with. So a definition that means something else
than the table was made from is refused; only a rebuild accepts it (ADR 0016).
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from psycopg.types.json import Jsonb

from palate.database import Connection
from palate.errors import DefinitionError

_REMARK = re.compile(r"--[^\n]*")

# A meaning, as JSON can hold it.
Meaning = dict[str, Any]


def register(
    conn: Connection, kind: str, name: str, meaning: Meaning, path: str
) -> bool:
    """Enter what a table is made from; return whether it is new.

    :param path: where the definition stands, for the message
    :raises DefinitionError: if the table was made from another meaning
    """
    row = conn.execute(
        "SELECT definition FROM ops.definitions WHERE (kind, name) = (%s, %s)",
        (kind, name),
    ).fetchone()
    if row is None:
        conn.execute(
            # Where nothing is loaded yet, there is no history to fill it from.
            "INSERT INTO ops.definitions (kind, name, definition, filled_dt)"
            " SELECT %(kind)s, %(name)s, %(definition)s, CASE WHEN NOT EXISTS"
            " (SELECT 1 FROM ops.watermarks WHERE stage = 'vault') THEN now() END",
            {"kind": kind, "name": name, "definition": Jsonb(meaning)},
        )
        return True
    changes = list(_changes(_known(row[0], meaning), meaning))
    if changes:
        message = (
            f"{path} differs from what {name} was made from ({'; '.join(changes)}), "
            "and its rows would change their meaning. Put the old definition back and "
            "add a new one beside it, which is filled from the history; or have all "
            "tables built anew by what the files say now: docs/operations.md, 'A "
            "definition changes its meaning'."
        )
        raise DefinitionError(message)
    if row[0] != meaning:
        accept(conn, kind, name, meaning)
    return False


def accept(conn: Connection, kind: str, name: str, meaning: Meaning) -> None:
    """Note that a table's rows have this meaning from now on."""
    conn.execute(
        "UPDATE ops.definitions SET definition = %s WHERE (kind, name) = (%s, %s)",
        (Jsonb(meaning), kind, name),
    )


def is_changed(conn: Connection, kind: str, name: str, meaning: Meaning) -> bool:
    """Tell whether a table was made from another meaning."""
    row = conn.execute(
        "SELECT definition FROM ops.definitions WHERE (kind, name) = (%s, %s)",
        (kind, name),
    ).fetchone()
    return row is not None and _known(row[0], meaning) != meaning


def fingerprint(query: str) -> str:
    """Return a hash of what a query says; remarks and spaces say nothing."""
    words = " ".join(_REMARK.sub("", query).split())
    return hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()


def _known(stored: Meaning, meaning: Meaning) -> Meaning:
    """Take over the fields that an older version of the program did not note."""
    unnoted = {"source", "query"} - stored.keys()
    return stored | {name: meaning[name] for name in unnoted if name in meaning}


def _changes(old: Meaning, new: Meaning) -> Iterator[str]:
    """Say of each field how it differs; columns only where no other field does."""
    fields = [f for f in sorted(old.keys() | new.keys()) if old.get(f) != new.get(f)]
    for field in fields:
        was, now = old.get(field), new.get(field)
        if field == "columns" and len(fields) > 1:
            continue
        if field == "query":
            yield "its queries count something else"
        elif isinstance(was, dict) and isinstance(now, dict):
            for name in sorted(was.keys() | now.keys()):
                if was.get(name) != now.get(name):
                    yield f"{field}: {name} {_type(was, name)}, now {_type(now, name)}"
        else:
            yield f"{field}: {was}, now {now}"


def _type(columns: Meaning, name: str) -> Any:
    return columns.get(name, "not there")

"""What each table was made from: ``ops.definitions``.

Rows keep the meaning they were loaded with. So a definition that means something else
than the table was made from is refused; only a rebuild accepts it (ADR 0016).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from palate.database import Connection
from palate.errors import DefinitionError
from palate.tables import removal

_REMARK = re.compile(r"--[^\n]*")

# A definition's fields, as JSON can hold them.
Fields = dict[str, Any]


@dataclass(frozen=True)
class Meaning:
    """What the rows of a table mean, from its definition.

    ``path`` is the definition's file, for messages; ``area`` is whose table it is.
    """

    kind: str
    name: str
    fields: Fields
    path: str
    area: str


def register(conn: Connection, meaning: Meaning, own_views: Iterable[str] = ()) -> bool:
    """Enter what a table is made from; return whether it is new.

    One that was made from another meaning and never had a row is removed: it is new.

    :param own_views: the views that are created again afterwards
    :raises DefinitionError: if the table was made from another meaning
    """
    if changed(conn, [meaning]):
        removal.correct(conn, meaning.kind, meaning.name, own_views)
    refuse_changed(conn, [meaning])
    entered = conn.execute(
        # Where nothing is loaded yet, there is no history to fill it from.
        "INSERT INTO ops.definitions (kind, name, area, definition, filled_dt)"
        " SELECT %(kind)s, %(name)s, %(area)s, %(definition)s, CASE WHEN NOT EXISTS"
        " (SELECT 1 FROM ops.watermarks AS w INNER JOIN ops.stages AS s"
        " ON w.stage = s.stage WHERE s.reads_staging AND s.area = %(area)s)"
        " THEN now() END"
        " ON CONFLICT (kind, name) DO NOTHING",
        _values(meaning),
    )
    if entered.rowcount:
        return True
    accept(conn, meaning)
    return False


def refuse_changed(conn: Connection, definitions: Iterable[Meaning]) -> None:
    """Check that tables still mean what they were made from, before rows are added.

    :raises DefinitionError: if a definition means something else by now
    """
    stored = _stored(conn)
    for meaning in definitions:
        changes = list(_changes(_known(stored, meaning), meaning.fields))
        if changes:
            message = (
                f"{meaning.path} differs from what {meaning.name} was made from "
                f"({'; '.join(changes)}), and its rows would change their meaning. Put "
                "the old definition back and add a new one beside it, which is filled "
                "from the history; or have all tables built anew by what the files say "
                "now: docs/operations.md, 'A definition changes its meaning'."
            )
            raise DefinitionError(message)


def accept(conn: Connection, meaning: Meaning) -> None:
    """Record that a table's rows have this meaning from now on."""
    conn.execute(
        "UPDATE ops.definitions SET definition = %(definition)s"
        " WHERE (kind, name) = (%(kind)s, %(name)s) AND definition <> %(definition)s",
        _values(meaning),
    )


def changed(conn: Connection, definitions: Iterable[Meaning]) -> list[Meaning]:
    """Return the definitions whose table was made from another meaning."""
    stored = _stored(conn)
    return [one for one in definitions if _known(stored, one) != one.fields]


def fingerprint(query: str) -> str:
    """Return a hash of a query, without its comments and whitespace."""
    words = " ".join(_REMARK.sub("", query).split())
    return hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()


def _values(meaning: Meaning) -> dict[str, Any]:
    definition = Jsonb(meaning.fields)
    return {
        "kind": meaning.kind,
        "name": meaning.name,
        "area": meaning.area,
        "definition": definition,
    }


def _stored(conn: Connection) -> dict[tuple[str, str], Fields]:
    rows = conn.execute("SELECT kind, name, definition FROM ops.definitions")
    return {(kind, name): definition for kind, name, definition in rows}


def _known(stored: dict[tuple[str, str], Fields], meaning: Meaning) -> Fields:
    """Return what a table was made from; the current meaning if it is not there yet.

    Fields that an older version of the program did not record come from the latter.
    """
    found = stored.get((meaning.kind, meaning.name), meaning.fields)
    unnoted = {"source", "query"} - found.keys()
    return found | {k: meaning.fields[k] for k in unnoted if k in meaning.fields}


def _changes(old: Fields, new: Fields) -> Iterator[str]:
    """Yield how each field differs; columns only where no other field does."""
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


def _type(columns: Fields, name: str) -> Any:
    return columns.get(name, "not there")

"""Each table of a rebuild compared with the live one of its name."""

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from palate.database import Connection
from palate.history import redefinition
from palate.names import EXAMPLES, LOAD_DT, LOAD_SRC
from palate.table_set import TableSet

_REFUSED = "stg.rejected_messages"


@dataclass(frozen=True)
class TableFound:
    """The differences of one table.

    The live table lacks ``missing`` rows, has ``extra`` ones too many, and other values
    in ``changed`` ones. For an ``is_redefined`` table only the number of rows counts.
    ``examples`` have a row's key and names of columns: no other value leaves the
    warehouse, as it may be personal data.
    """

    name: str
    is_redefined: bool
    live: int
    rebuilt: int
    missing: int
    extra: int
    changed: int
    examples: list[dict[str, Any]]

    @property
    def differing(self) -> int:
        """Return how many rows differ; of a redefined table all do."""
        if self.is_redefined:
            return max(self.live, self.rebuilt, 1)
        return self.missing + self.extra + self.changed


def compare_tables(conn: Connection) -> list[TableFound]:
    """Compare all tables in the open transaction's snapshot."""
    redefined = redefinition.redefined_tables(conn)
    found = []
    for schema, name in conn.execute(
        "SELECT table_schema, table_name FROM ops.rebuilt_tables()"
    ).fetchall():
        table = f"{schema}.{name}"
        if table in redefined:
            found.append(_counted(conn, table))
        else:
            found.append(_compared(conn, table))
    return [*found, _refused(conn)]


def _compared(conn: Connection, table: str) -> TableFound:
    rebuilt = TableSet.SHADOW.table(table)
    keys, columns = _columns(conn, table)
    values = [name for name in columns if name not in keys]
    on = " AND ".join(f"l.{key} = r.{key}" for key in keys)
    other = "FALSE"
    if values:
        sides = [", ".join(f"{side}.{name}" for name in values) for side in "lr"]
        other = f"({sides[0]}) IS DISTINCT FROM ({sides[1]})"
    lacking = {side: f"{side}.{keys[0]} IS NULL" for side in "lr"}
    both = f"FROM {table} AS l FULL JOIN {rebuilt} AS r ON {on}"
    differing = f"{lacking['l']} OR {lacking['r']} OR {other}"
    live, new, missing, extra, differing_rows = conn.execute(
        f"SELECT count(l.{keys[0]}), count(r.{keys[0]}),"
        f" count(*) FILTER (WHERE {lacking['l']}),"
        f" count(*) FILTER (WHERE {lacking['r']}),"
        f" count(*) FILTER (WHERE {differing}) {both}"
    ).fetchone() or (0, 0, 0, 0, 0)
    examples: list[dict[str, Any]] = []
    if differing_rows:
        key = ", ".join(f"'{key}', coalesce(l.{key}, r.{key})::text" for key in keys)
        others = ", ".join(
            f"CASE WHEN l.{name} IS DISTINCT FROM r.{name} THEN '{name}' END"
            for name in values
        )
        order = ", ".join(f"coalesce(l.{key}, r.{key})" for key in keys)
        for wrong, row_key, columns in conn.execute(
            f"SELECT CASE WHEN {lacking['l']} THEN 'missing'"
            f" WHEN {lacking['r']} THEN 'extra' ELSE 'other values' END,"
            f" jsonb_build_object({key}), array_remove(ARRAY[{others}]::text[], NULL)"
            f" {both} WHERE {differing} ORDER BY {order} LIMIT {EXAMPLES}"
        ):
            shown = columns if wrong == "other values" else []
            examples.append({"what": wrong, "key": row_key, "columns": shown})
    changed = differing_rows - missing - extra
    return TableFound(table, False, live, new, missing, extra, changed, examples)


def _counted(conn: Connection, table: str) -> TableFound:
    numbers = []
    for name in (table, TableSet.SHADOW.table(table)):
        is_there = conn.execute("SELECT to_regclass(%s)", (name,)).fetchone()
        query = sql.SQL("SELECT count(*) FROM {}").format(
            sql.Identifier(*name.split("."))
        )
        row = conn.execute(query).fetchone() if is_there and is_there[0] else None
        numbers.append(row[0] if row else 0)
    return TableFound(table, True, numbers[0], numbers[1], 0, 0, 0, [])


def _refused(conn: Connection) -> TableFound:
    """Return the messages that were orders once, and are refused now."""
    (number, refused) = conn.execute(
        "SELECT (SELECT count(*) FROM stg.rejected_messages),"
        " (SELECT count(*) FROM ops.rebuild_rejected)"
    ).fetchone() or (0, 0)
    rows = conn.execute(
        "SELECT reason, jsonb_build_object('topic', topic, 'epoch', epoch,"
        " 'partition', kafka_partition, 'offset', kafka_offset)"
        " FROM ops.rebuild_rejected"
        " ORDER BY topic, epoch, kafka_partition, kafka_offset"
        f" LIMIT {EXAMPLES}"
    ).fetchall()
    examples = [
        {"what": f"refused now as {reason}", "key": key, "columns": []}
        for reason, key in rows
    ]
    return TableFound(
        _REFUSED, False, number, number + refused, refused, 0, 0, examples
    )


def _columns(conn: Connection, table: str) -> tuple[list[str], list[str]]:
    rows = conn.execute(
        "SELECT a.attname, a.attnum = ANY(i.indkey::smallint[]) FROM pg_attribute AS a"
        " INNER JOIN pg_index AS i ON a.attrelid = i.indrelid AND i.indisprimary"
        " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
        " AND a.attname <> ALL(%s) ORDER BY a.attnum",
        (table, [LOAD_DT, LOAD_SRC]),
    ).fetchall()
    return [name for name, is_key in rows if is_key], [name for name, _ in rows]

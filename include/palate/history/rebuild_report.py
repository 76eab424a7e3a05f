"""The result of a rebuild: each new table compared with the live one of its name."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from palate.database import Connection
from palate.engine import Caller
from palate.history import redefinition
from palate.names import EXAMPLES, LOAD_DT, LOAD_SRC
from palate.table_set import TableSet
from palate.text import in_markdown

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
    living: int
    rebuilt: int
    missing: int
    extra: int
    changed: int
    examples: list[dict[str, Any]]

    @property
    def differing(self) -> int:
        """Return how many rows differ; of a redefined table all do."""
        if self.is_redefined:
            return max(self.living, self.rebuilt, 1)
        return self.missing + self.extra + self.changed


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild found so far."""

    rebuild_id: int
    compared_dt: datetime
    is_approved: bool
    outcome: str | None
    tables: list[TableFound]

    @property
    def differing(self) -> int:
        """Return how many rows differ in all tables."""
        return sum(table.differing for table in self.tables)

    @property
    def differs(self) -> bool:
        """Return whether a person has to approve."""
        return self.differing > 0

    @property
    def marts_differ(self) -> bool:
        """Return whether tags and published counters must be evaluated again."""
        return any(
            table.differing for table in self.tables if table.name.startswith("cdm.")
        )

    @property
    def sentence(self) -> str:
        """Return the one sentence for a person who has to decide."""
        if not self.differs:
            return "The rebuilt tables say what the living ones say."
        names = ", ".join(table.name for table in self.tables if table.differing)
        return (
            f"{self.differing:,} rows differ between the rebuilt tables and the living "
            f"ones, in {names}. They take the living ones' place once approved."
        )

    def exceeded_by(self, tables: Iterable[TableFound]) -> list[str]:
        """Return the tables in which more rows differ by now than did here."""
        known = {table.name: table.differing for table in self.tables}
        return [
            table.name
            for table in tables
            if not table.is_redefined and table.differing > known.get(table.name, 0)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "rebuild_id": self.rebuild_id,
            "outcome": self.outcome,
            "approved": self.is_approved,
            "differing": self.differing,
            "tables": {table.name: vars(table) for table in self.tables},
        }

    def markdown(self) -> str:
        """Return the report as markdown."""
        verdict = {
            "swapped": "The rebuilt tables have taken the living ones' place. ",
            "discarded": "The rebuilt tables were dropped; the living ones stay. ",
            None: "",
        }[self.outcome]
        lines = [
            "# Vault and marts, built anew from STG",
            "",
            f"{verdict}{self.sentence if not self.outcome else ''}".strip(),
            "",
            "| table | rows living | rows rebuilt | missing | extra | other values |",
            "|---|---:|---:|---:|---:|---:|",
            *(
                f"| {one.name} | {one.living:,} | {one.rebuilt:,} | {one.missing:,} |"
                f" {one.extra:,} | {one.changed:,} |"
                for one in self.tables
            ),
            "",
            "*missing*: the living table lacks it. *extra*: it has it, and nothing in "
            "STG says so. Values are not shown: look at the row in the table and, while"
            " the rebuild is under way, in the schema of that name and `_rebuild`.",
        ]
        for one in self.tables:
            if one.is_redefined:
                lines.append(f"- {one.name}: its definition says something else now.")
            elif one.differing:
                lines.append(f"- {one.name}, the first of {one.differing:,}:")
            lines += [f"  - {_in_markdown(example)}" for example in one.examples]
        return "\n".join(lines)


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


def enter(
    conn: Connection, rebuild_id: int, found: Iterable[TableFound]
) -> RebuildReport:
    """Record the result of a comparison, in place of an earlier one."""
    tables = list(found)
    with conn.transaction():
        conn.execute(
            "DELETE FROM ops.rebuild_tables WHERE rebuild_id = %s", (rebuild_id,)
        )
        for table in tables:
            conn.execute(
                "INSERT INTO ops.rebuild_tables VALUES"
                " (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    rebuild_id,
                    table.name,
                    table.is_redefined,
                    table.living,
                    table.rebuilt,
                    table.missing,
                    table.extra,
                    table.changed,
                    Jsonb(table.examples),
                ),
            )
        conn.execute(
            "UPDATE ops.rebuilds SET compared_dt = clock_timestamp(), differing = %s,"
            " report = '' WHERE rebuild_id = %s",
            (sum(table.differing for table in tables), rebuild_id),
        )
        report = read(conn)
        if report is None:
            raise RuntimeError(rebuild_id)
        conn.execute(
            "UPDATE ops.rebuilds SET report = %s WHERE rebuild_id = %s",
            (report.markdown(), rebuild_id),
        )
    return report


def read_open(conn: Connection, caller: Caller | None = None) -> int | None:
    """Return the id of the rebuild under way, if it is the caller's."""
    row = conn.execute(
        "SELECT rebuild_id FROM ops.rebuilds WHERE finished_dt IS NULL"
        " AND (%(run_id)s::text IS NULL"
        " OR (dag_id, run_id) = (%(dag_id)s, %(run_id)s))",
        {
            "dag_id": caller.dag_id if caller else None,
            "run_id": caller.run_id if caller else None,
        },
    ).fetchone()
    return row[0] if row else None


def read(
    conn: Connection,
    dag_id: str | None = None,
    run_id: str | None = None,
    outcome: str | None = None,
) -> RebuildReport | None:
    """Return the report of the rebuild under way, or of a run's last of an outcome."""
    row = conn.execute(
        "SELECT rebuild_id, compared_dt, coalesce(approved_dt >= compared_dt, FALSE),"
        " outcome FROM ops.rebuilds WHERE compared_dt IS NOT NULL AND"
        " CASE WHEN %(run_id)s::text IS NULL THEN finished_dt IS NULL"
        " ELSE (dag_id, run_id, outcome) = (%(dag_id)s, %(run_id)s, %(outcome)s) END"
        " ORDER BY rebuild_id DESC LIMIT 1",
        {"dag_id": dag_id, "run_id": run_id, "outcome": outcome},
    ).fetchone()
    if row is None:
        return None
    tables = conn.execute(
        "SELECT table_name, is_redefined, living, rebuilt, missing, extra, changed,"
        " examples FROM ops.rebuild_tables WHERE rebuild_id = %s"
        " ORDER BY split_part(table_name, '.', 1) DESC, table_name",
        (row[0],),
    ).fetchall()
    rebuild_id, compared_dt, is_approved, ended = row
    found = [TableFound(*table) for table in tables]
    return RebuildReport(rebuild_id, compared_dt, is_approved, ended, found)


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
    living, new, missing, extra, differing_rows = conn.execute(
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
    return TableFound(table, False, living, new, missing, extra, changed, examples)


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


def _in_markdown(example: dict[str, Any]) -> str:
    key = ", ".join(
        f"{name} {in_markdown(value)}" for name, value in example["key"].items()
    )
    columns = f"; columns {', '.join(example['columns'])}" if example["columns"] else ""
    return f"{example['what']}: {key}{columns}"

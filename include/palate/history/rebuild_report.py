"""What a rebuild has found: recorded, read again, and shown as a report."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from palate.database import Connection
from palate.engine import Caller
from palate.history.compare_tables import TableFound
from palate.text import in_markdown


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
            return "The rebuilt tables equal the live ones."
        names = ", ".join(table.name for table in self.tables if table.differing)
        return (
            f"{self.differing:,} rows differ between the rebuilt tables and the live "
            f"ones, in {names}. Once approved, they replace the live ones."
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
            "swapped": "The rebuilt tables have replaced the live ones. ",
            "discarded": "The rebuilt tables were dropped; the live ones stay. ",
            None: "",
        }[self.outcome]
        lines = [
            "# Vault and marts, built anew from STG",
            "",
            f"{verdict}{self.sentence if not self.outcome else ''}".strip(),
            "",
            "| table | rows live | rows rebuilt | missing | extra | other values |",
            "|---|---:|---:|---:|---:|---:|",
            *(
                f"| {one.name} | {one.live:,} | {one.rebuilt:,} | {one.missing:,} |"
                f" {one.extra:,} | {one.changed:,} |"
                for one in self.tables
            ),
            "",
            "*missing*: the live table lacks it. *extra*: it has it, and nothing in "
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
                    table.live,
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
    rebuild_id, compared_dt, is_approved, ended = row
    found = compared(conn, rebuild_id)
    return RebuildReport(rebuild_id, compared_dt, is_approved, ended, found)


def compared(conn: Connection, rebuild_id: int) -> list[TableFound]:
    """Return what a rebuild has found in each table, those of the vault first."""
    rows = conn.execute(
        "SELECT table_name, is_redefined, living, rebuilt, missing, extra, changed,"
        " examples FROM ops.rebuild_tables WHERE rebuild_id = %s"
        " ORDER BY split_part(table_name, '.', 1) DESC, table_name",
        (rebuild_id,),
    ).fetchall()
    return [TableFound(*row) for row in rows]


def _in_markdown(example: dict[str, Any]) -> str:
    key = ", ".join(
        f"{name} {in_markdown(value)}" for name, value in example["key"].items()
    )
    columns = f"; columns {', '.join(example['columns'])}" if example["columns"] else ""
    return f"{example['what']}: {key}{columns}"

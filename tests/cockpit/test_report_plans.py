"""The reports read what a page shows, however much there is beside it."""

import re
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.abc import Query

from palate import checks
from palate.reads import reports
from palate.settings import Settings

Conn = psycopg.Connection[Any]

# Three months of nights, of incidents, and of a backfill's ticks.
_FILLED = (
    "INSERT INTO ops.check_results (dag_id, run_id, check_name, subject, severity,"
    " outcome, found, examples, note, seconds, checked_dt)"
    " SELECT 'warehouse_checks', n::text, c.name, c.subject, 'fail',"
    " CASE WHEN n %% 10 = 0 THEN 'found' ELSE 'passed' END, n %% 10, '[]', '', 1,"
    " now() - n * interval '1 day' FROM generate_series(1, 300) AS n,"
    " unnest(%(names)s::text[], %(subjects)s::text[]) AS c (name, subject)",
    "INSERT INTO ops.incidents (kind, subject, message, ended_dt, told_dt, end_told_dt)"
    " SELECT 'check', n::text, 'Rows.', now(), now(), now()"
    " FROM generate_series(1, 5000) AS n",
    "INSERT INTO ops.position_gaps (topic, epoch, kafka_partition, from_offset,"
    " to_offset, accepted_dt, accepted_by, accepted_why)"
    " SELECT 'a', 0, 0, n * 2, n * 2 + 1, now(), 'anna', 'Gone.'"
    " FROM generate_series(1, 5000) AS n",
    "INSERT INTO ops.reloads (dag_id, run_id, from_dt, to_dt, source)"
    " SELECT CASE WHEN n %% 1000 = 0 THEN 'shell' ELSE 'orders_stream' END, n::text,"
    " '2023-01-01', '2023-01-02', 'auto' FROM generate_series(1, 5000) AS n",
    "INSERT INTO ops.rebuilds (dag_id, run_id, made_from, finished_dt, outcome)"
    " SELECT 'shell', n::text, '', now(), 'discarded'"
    " FROM generate_series(1, 5000) AS n",
)
_GROW = ("check_results", "incidents", "position_gaps", "reloads", "rebuilds")
_READ: dict[str, Callable[[Any, Settings], object]] = {
    "checks": reports.checked,
    "check": lambda conn, settings: reports.check_history(
        conn, settings, "marts/equal_the_vault"
    ),
    "older": lambda conn, settings: reports.check_history(
        conn, settings, "marts/equal_the_vault", before=9
    ),
    "reloads": reports.reloads,
    "backfills": lambda conn, settings: reports.reloads(
        conn, settings, backfills=True, before=2000
    ),
    "rebuilds": lambda conn, _: reports.rebuilds(conn),
    "incidents": lambda conn, _: reports.incidents(conn),
}


class _Explained:
    """A session that keeps how each statement is executed."""

    def __init__(self, conn: Conn) -> None:
        self.plans: list[str] = []
        self._conn = conn

    def execute(self, query: str, values: Any = None) -> Any:
        plan = self._conn.execute(_text(f"EXPLAIN {query}"), values)
        self.plans.append("\n".join(line for (line,) in plan))
        return self._conn.execute(_text(query), values)


def _text(query: str) -> Query:
    return query.encode()


def test_no_report_reads_a_table_that_grows_from_end_to_end(
    warehouse: Settings, connection: Conn
) -> None:
    planned = checks.planned(warehouse)
    values = {
        "names": [check.full_name for check, _ in planned],
        "subjects": [subject for _, subject in planned],
    }
    for statement in _FILLED:
        connection.execute(_text(statement), values)
    connection.execute(_text(f"ANALYZE {', '.join(f'ops.{name}' for name in _GROW)}"))
    found = {}
    for name, read in _READ.items():
        session = _Explained(connection)
        read(session, warehouse)
        scanned = re.findall(r"Seq Scan on (\w+)", "\n".join(session.plans))
        found[name] = sorted(set(scanned) & set(_GROW))
    assert found == {name: [] for name in _READ}

"""The ledger: what each batch took, and what each run did."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from palate.database import Connection
from palate.reads.ledger_runs import Dag, Run, TakenRange, dag, run

__all__ = [
    "PAGE",
    "Batch",
    "Batches",
    "Dag",
    "Filter",
    "Run",
    "TakenRange",
    "batches",
    "dag",
    "run",
    "with_ranges",
]

PAGE = 50

_COLUMNS = (
    "b.batch_id, b.stage, b.committed_dt, b.is_repeat, s.dag_id, s.run_id, s.task_id,"
    " s.map_index, s.try_number, b.counts"
)
_FROM = "FROM ops.batches AS b INNER JOIN ops.stage_runs AS s USING (stage_run_id)"
# Among how many attempts, the newest, the last one at each stage is looked for.
_AMONG = 1_000
_FAILING = """
SELECT l.stage, l.dag_id, l.run_id, l.finished_dt, l.error
FROM (
    SELECT DISTINCT ON (s.stage) s.*
    FROM (SELECT * FROM ops.stage_runs ORDER BY stage_run_id DESC LIMIT %s) AS s
    ORDER BY s.stage, s.stage_run_id DESC
) AS l
WHERE l.outcome = 'failed'
ORDER BY l.stage
"""
# The DAGs in the ledger: a step along the index for each.
_DAGS = """
WITH RECURSIVE dags (dag_id) AS (
    (SELECT dag_id FROM ops.stage_runs ORDER BY dag_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT s.dag_id FROM ops.stage_runs AS s WHERE s.dag_id > d.dag_id
        ORDER BY s.dag_id LIMIT 1
    ) FROM dags AS d WHERE d.dag_id IS NOT NULL
)
SELECT dag_id FROM dags WHERE dag_id IS NOT NULL
"""


@dataclass(frozen=True)
class Batch:
    """One committed transaction of a stage, and the run whose task it was.

    ``counts`` are rows by kind; without ``ranges`` it took no positions.
    """

    batch_id: int
    stage: str
    committed_dt: datetime
    is_repeat: bool
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    counts: dict[str, Any]
    ranges: tuple[TakenRange, ...] = ()


@dataclass(frozen=True)
class Filter:
    """Which batches to show; None means all.

    ``again`` tells what was done again, to heal it, from what was done first.
    """

    stage: str | None = None
    area: str | None = None
    dag_id: str | None = None
    again: bool | None = None


@dataclass(frozen=True)
class Failing:
    """A stage whose last attempt failed: what it would have taken still waits."""

    stage: str
    dag_id: str
    run_id: str
    finished_dt: datetime
    error: str | None


@dataclass(frozen=True)
class Batches:
    """A page of batches, the newest first, and the stages that fail now.

    ``stages``, ``areas`` and ``dags`` are all that the ledger may have; ``older`` is
    the id that the next page begins before, or None.
    """

    filter: Filter
    stages: list[str]
    areas: list[str]
    dags: list[str]
    failing: list[Failing]
    batches: list[Batch]
    older: int | None


def batches(
    conn: Connection,
    wanted: Filter = Filter(),
    *,
    before: int | None = None,
    limit: int = PAGE,
) -> Batches:
    """Return a page of batches.

    :param before: only those with a smaller id
    """
    found = last(conn, limit + 1, wanted, before=before)
    older = found[limit - 1].batch_id if len(found) > limit else None
    areas: dict[str, str] = dict(
        conn.execute("SELECT stage, area FROM ops.stages ORDER BY stage").fetchall()
    )
    return Batches(
        filter=wanted,
        stages=list(areas),
        areas=sorted(set(areas.values())),
        dags=[name for (name,) in conn.execute(_DAGS)],
        failing=[Failing(*row) for row in conn.execute(_FAILING, (_AMONG,))],
        batches=found[:limit],
        older=older,
    )


def last(
    conn: Connection,
    limit: int,
    wanted: Filter = Filter(),
    *,
    before: int | None = None,
) -> list[Batch]:
    """Return the newest batches.

    :param before: only those with a smaller id
    """
    rows = conn.execute(
        f"SELECT {_COLUMNS} {_FROM}"
        " WHERE (%(stage)s::text IS NULL OR b.stage = %(stage)s)"
        " AND (%(area)s::text IS NULL OR b.stage IN"
        " (SELECT stage FROM ops.stages WHERE area = %(area)s))"
        " AND (%(dag_id)s::text IS NULL OR s.dag_id = %(dag_id)s)"
        " AND (%(again)s::boolean IS NULL OR b.is_repeat = %(again)s)"
        " AND (%(before)s::bigint IS NULL OR b.batch_id < %(before)s)"
        " ORDER BY b.batch_id DESC LIMIT %(limit)s",
        {**vars(wanted), "before": before, "limit": limit},
    ).fetchall()
    return with_ranges(conn, [Batch(*row) for row in rows])


def with_ranges(conn: Connection, batches: list[Batch]) -> list[Batch]:
    """Return batches with the positions that each has taken."""
    ranges: dict[int, list[TakenRange]] = {}
    for batch_id, *taken in conn.execute(
        "SELECT batch_id, topic, epoch, kafka_partition, from_offset, to_offset"
        " FROM ops.batch_ranges WHERE batch_id = ANY(%s) ORDER BY 1, 2, 3, 4",
        ([one.batch_id for one in batches],),
    ):
        ranges.setdefault(batch_id, []).append(TakenRange(*taken))
    return [replace(one, ranges=tuple(ranges.get(one.batch_id, ()))) for one in batches]

"""The ledger: what each batch took, and by which run."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from palate.database import Connection

PAGE = 50

_COLUMNS = (
    "b.batch_id, b.stage, b.committed_dt, b.is_repeat, s.dag_id, s.run_id, s.task_id,"
    " s.map_index, s.try_number, b.counts"
)
_FROM = "FROM ops.batches AS b INNER JOIN ops.stage_runs AS s USING (stage_run_id)"


@dataclass(frozen=True)
class TakenRange:
    """Positions that a batch took: ``end`` is the first that it did not take."""

    topic: str
    epoch: int
    partition: int
    start: int
    end: int


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
class Batches:
    """A page of batches, the newest first.

    ``stages`` are all that the ledger may have; ``older`` is the id that the next page
    begins before, or None.
    """

    stage: str | None
    stages: list[str]
    batches: list[Batch]
    older: int | None


def batches(
    conn: Connection,
    *,
    stage: str | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> Batches:
    """Return a page of batches, of one stage or of all.

    :param before: only those with a smaller id
    """
    rows = conn.execute(
        f"SELECT {_COLUMNS} {_FROM}"
        " WHERE (%(stage)s::text IS NULL OR b.stage = %(stage)s)"
        " AND (%(before)s::bigint IS NULL OR b.batch_id < %(before)s)"
        " ORDER BY b.batch_id DESC LIMIT %(limit)s",
        {"stage": stage, "before": before, "limit": limit + 1},
    ).fetchall()
    found = with_ranges(conn, [Batch(*row) for row in rows[:limit]])
    stages = conn.execute("SELECT stage FROM ops.stages ORDER BY stage").fetchall()
    return Batches(
        stage=stage,
        stages=[name for (name,) in stages],
        batches=found,
        older=found[-1].batch_id if len(rows) > limit else None,
    )


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

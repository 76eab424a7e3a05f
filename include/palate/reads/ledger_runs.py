"""What each run did: its attempts at stages, what they committed, who went on."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from palate.database import Connection
from palate.positions import FeedPartition, Range, range_sets

# Runs on a page; attempts of one run that are shown; attempts among which a DAG's last
# runs are looked for.
RUNS = 20
ATTEMPTS = 500
_AMONG = 1_000

_FINISHED = ("done", "nothing")
_ATTEMPT = (
    "s.stage_run_id, s.stage, s.task_id, s.map_index, s.try_number, s.started_dt,"
    " s.finished_dt, s.outcome, s.error"
)
_NAMED = (
    "s.dag_id = %(dag_id)s AND (%(task_id)s::text IS NULL OR s.task_id = %(task_id)s)"
)


@dataclass(frozen=True)
class TakenRange:
    """Positions that a batch took: ``end`` is the first that it did not take."""

    topic: str
    epoch: int
    partition: int
    start: int
    end: int


@dataclass(frozen=True)
class Finish:
    """The attempt that finished what another one had left."""

    dag_id: str
    run_id: str
    task_id: str
    try_number: int
    finished_dt: datetime | None
    is_same_task: bool


@dataclass(frozen=True)
class Attempt:
    """An attempt of a task at a stage, and what it committed.

    ``outcome`` is ``running``, ``done``, ``nothing`` or ``failed``; an attempt that was
    killed stays ``running``. ``left_to`` is who finished what one of these two left.
    """

    stage_run_id: int
    stage: str
    task_id: str
    map_index: int
    try_number: int
    started_dt: datetime
    finished_dt: datetime | None
    outcome: str
    error: str | None
    batches: int = 0
    repeated: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    ranges: tuple[TakenRange, ...] = ()
    left_to: Finish | None = None

    @property
    def identity(self) -> tuple[str, str, int]:
        """What the attempts of one task of a run at one stage have in common."""
        return (self.stage, self.task_id, self.map_index)

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it is not known."""
        if self.finished_dt is None:
            return None
        return (self.finished_dt - self.started_dt).total_seconds()


@dataclass(frozen=True)
class Run:
    """What a run of a DAG did, or one of its tasks; attempts by their beginning.

    ``runs_stages`` tells whether any run of this DAG is in the ledger. ``checks`` are
    results by outcome; ``reload_id`` is the report of what the run looked at again.
    """

    dag_id: str
    run_id: str
    task_id: str | None
    map_index: int | None
    runs_stages: bool
    attempts: list[Attempt]
    has_more: bool
    checks: dict[str, int]
    reload_id: int | None


@dataclass(frozen=True)
class RunSum:
    """What a run did in all; ``messages`` were staged, ``documents`` parsed."""

    run_id: str
    started_dt: datetime
    finished_dt: datetime | None
    attempts: int
    failed: int
    batches: int
    messages: int
    documents: int
    refused: int


@dataclass(frozen=True)
class Dag:
    """The last runs of a DAG, or of one task of it, the newest first.

    ``older`` is what the next page begins before, or None. See ``Run``.
    """

    dag_id: str
    task_id: str | None
    runs_stages: bool
    runs: list[RunSum]
    older: int | None


def run(
    conn: Connection,
    dag_id: str,
    run_id: str,
    *,
    task_id: str | None = None,
    map_index: int | None = None,
) -> Run:
    """Return what a run did, or one task of it, or one instance of a mapped task."""
    rows = conn.execute(
        f"SELECT {_ATTEMPT} FROM ops.stage_runs AS s"
        " WHERE (s.dag_id, s.run_id) = (%(dag_id)s, %(run_id)s)"
        " AND (%(task_id)s::text IS NULL OR s.task_id = %(task_id)s)"
        " AND (%(map_index)s::integer IS NULL OR s.map_index = %(map_index)s)"
        " ORDER BY s.stage_run_id LIMIT %(limit)s",
        {
            "dag_id": dag_id,
            "run_id": run_id,
            "task_id": task_id,
            "map_index": map_index,
            "limit": ATTEMPTS + 1,
        },
    ).fetchall()
    attempts = _with_batches(conn, [Attempt(*row) for row in rows[:ATTEMPTS]])
    checks = conn.execute(
        "SELECT outcome, count(*) FROM ops.check_results"
        " WHERE (dag_id, run_id) = (%s, %s) GROUP BY outcome ORDER BY outcome",
        (dag_id, run_id),
    ).fetchall()
    reload = conn.execute(
        "SELECT reload_id FROM ops.reloads WHERE (dag_id, run_id) = (%s, %s)",
        (dag_id, run_id),
    ).fetchone()
    return Run(
        dag_id=dag_id,
        run_id=run_id,
        task_id=task_id,
        map_index=map_index,
        runs_stages=bool(rows) or _runs_stages(conn, dag_id),
        attempts=[
            replace(one, left_to=_left_to(conn, (dag_id, run_id), one, attempts))
            for one in attempts
        ],
        has_more=len(rows) > ATTEMPTS,
        checks=dict(checks) if task_id is None else {},
        reload_id=reload[0] if reload else None,
    )


def dag(
    conn: Connection,
    dag_id: str,
    *,
    task_id: str | None = None,
    before: int | None = None,
    limit: int = RUNS,
) -> Dag:
    """Return the last runs of a DAG, or of one task of it, each summed.

    :param before: only runs whose last attempt has a smaller id
    """
    named = {"dag_id": dag_id, "task_id": task_id}
    rows = conn.execute(
        "SELECT r.run_id, max(r.stage_run_id) FROM ("
        "SELECT s.run_id, s.stage_run_id FROM ops.stage_runs AS s"
        f" WHERE {_NAMED}"
        " AND (%(before)s::bigint IS NULL OR s.stage_run_id < %(before)s)"
        " ORDER BY s.stage_run_id DESC LIMIT %(among)s) AS r"
        " WHERE NOT EXISTS (SELECT FROM ops.stage_runs AS later"
        " WHERE (later.dag_id, later.run_id) = (%(dag_id)s, r.run_id)"
        " AND (%(task_id)s::text IS NULL OR later.task_id = %(task_id)s)"
        " AND later.stage_run_id >= %(before)s)"
        " GROUP BY r.run_id ORDER BY 2 DESC LIMIT %(limit)s",
        named | {"before": before, "among": _AMONG, "limit": limit + 1},
    ).fetchall()
    last: dict[str, int] = dict(rows[:limit])
    sums = conn.execute(
        "SELECT s.run_id, min(s.started_dt), max(s.finished_dt), count(*),"
        " count(*) FILTER (WHERE s.outcome = 'failed'),"
        " coalesce(sum(b.batches), 0)::bigint, coalesce(sum(b.messages), 0)::bigint,"
        " coalesce(sum(b.documents), 0)::bigint, coalesce(sum(b.refused), 0)::bigint"
        " FROM ops.stage_runs AS s CROSS JOIN LATERAL ("
        "SELECT count(*) AS batches,"
        " sum((o.counts ->> 'messages')::bigint) AS messages,"
        " sum((o.counts ->> 'documents')::bigint) AS documents,"
        " sum((o.counts ->> 'refused')::bigint) AS refused"
        " FROM ops.batches AS o WHERE o.stage_run_id = s.stage_run_id) AS b"
        f" WHERE {_NAMED} AND s.run_id = ANY(%(runs)s) GROUP BY s.run_id",
        named | {"runs": list(last)},
    ).fetchall()
    runs = sorted(
        (RunSum(*row) for row in sums), key=lambda one: last[one.run_id], reverse=True
    )
    return Dag(
        dag_id=dag_id,
        task_id=task_id,
        runs_stages=bool(rows) or _runs_stages(conn, dag_id),
        runs=runs,
        older=min(last.values()) if len(rows) > limit else None,
    )


def _runs_stages(conn: Connection, dag_id: str) -> bool:
    row = conn.execute(
        "SELECT 1 FROM ops.stage_runs WHERE dag_id = %s LIMIT 1", (dag_id,)
    ).fetchone()
    return row is not None


def _with_batches(conn: Connection, attempts: list[Attempt]) -> list[Attempt]:
    ids = ([one.stage_run_id for one in attempts],)
    numbers = {
        row[0]: row[1:]
        for row in conn.execute(
            "SELECT stage_run_id, count(*), count(*) FILTER (WHERE is_repeat)"
            " FROM ops.batches WHERE stage_run_id = ANY(%s) GROUP BY stage_run_id",
            ids,
        )
    }
    counts: dict[int, Counter[str]] = {}
    for of, name, number in conn.execute(
        "SELECT b.stage_run_id, c.key, sum(c.value::numeric)::bigint"
        " FROM ops.batches AS b CROSS JOIN jsonb_each_text(b.counts) AS c"
        " WHERE b.stage_run_id = ANY(%s) GROUP BY 1, 2 ORDER BY 1, min(b.batch_id), 2",
        ids,
    ):
        counts.setdefault(of, Counter())[name] = number
    ranges: dict[int, list[Range]] = {}
    for of, *log, start, end in conn.execute(
        "SELECT b.stage_run_id, r.topic, r.epoch, r.kafka_partition, r.from_offset,"
        " r.to_offset FROM ops.batches AS b"
        " INNER JOIN ops.batch_ranges AS r USING (batch_id)"
        " WHERE b.stage_run_id = ANY(%s)",
        ids,
    ):
        ranges.setdefault(of, []).append(Range(FeedPartition(*log), start, end))
    return [
        replace(
            one,
            batches=numbers.get(one.stage_run_id, (0, 0))[0],
            repeated=numbers.get(one.stage_run_id, (0, 0))[1],
            counts=dict(counts.get(one.stage_run_id, {})),
            ranges=_merged(ranges.get(one.stage_run_id, ())),
        )
        for one in attempts
    ]


def _merged(ranges: Iterable[Range]) -> tuple[TakenRange, ...]:
    return tuple(
        TakenRange(one.log.topic, one.log.epoch, one.log.partition, one.start, one.end)
        for one in sorted(range_sets.merged(ranges))
    )


def _left_to(
    conn: Connection, run: tuple[str, str], left: Attempt, attempts: list[Attempt]
) -> Finish | None:
    """Return who finished what an attempt left: its own task, or else any run."""
    if left.outcome in _FINISHED:
        return None
    for one in attempts:
        if (
            one.identity == left.identity
            and one.stage_run_id > left.stage_run_id
            and one.outcome in _FINISHED
        ):
            return Finish(*run, one.task_id, one.try_number, one.finished_dt, True)
    # What a plan does again is done by its own run alone: for others it is not waiting.
    row = conn.execute(
        "SELECT s.dag_id, s.run_id, s.task_id, s.try_number, s.finished_dt, FALSE"
        " FROM ops.stage_runs AS s WHERE s.stage = %s AND s.stage_run_id > %s"
        " AND s.outcome = ANY(%s) AND NOT EXISTS"
        " (SELECT FROM ops.reloads WHERE (dag_id, run_id) = (%s, %s))"
        " ORDER BY s.stage_run_id LIMIT 1",
        (left.stage, left.stage_run_id, list(_FINISHED), *run),
    ).fetchone()
    return Finish(*row) if row else None

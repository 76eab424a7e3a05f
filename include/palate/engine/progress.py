"""What a task has committed already, so that its next attempt goes on after it.

What a failed or killed attempt has done is not repeated. A finished task that runs
again was cleared: it repeats its own work, to heal it, and keeps the progress of the
repeat in the same way.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from palate.database import Connection, connect
from palate.engine.plans import Plan, planned
from palate.positions import FeedPartition, Range, range_sets
from palate.settings import Settings

if TYPE_CHECKING:
    from palate.engine.outcome import Batch, Caller
    from palate.engine.stage import StageRun

# The attempts of one task, and the last one of them that finished.
_ATTEMPTS = (
    "WITH attempts AS (SELECT stage_run_id, outcome FROM ops.stage_runs"
    " WHERE (stage, dag_id, run_id, task_id, map_index) ="
    " (%(stage)s, %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)),"
    " finished AS (SELECT max(stage_run_id) AS stage_run_id FROM attempts"
    " WHERE outcome IN ('done', 'nothing')) "
)


def has_committed(attempt: "StageRun") -> bool:
    """Return whether an earlier attempt of this task has committed anything new."""
    row = attempt.conn.execute(
        f"{_ATTEMPTS} SELECT 1 FROM attempts AS a"
        " INNER JOIN ops.batches AS b ON a.stage_run_id = b.stage_run_id"
        " WHERE NOT b.is_repeat LIMIT 1",
        attempt.identity(),
    ).fetchone()
    return row is not None


def to_repeat(attempt: "StageRun") -> list[Range]:
    """Return what a cleared task has to repeat: what it did until it had finished.

    Without what earlier attempts have repeated since, and what retention has dropped,
    where the stage would need it. Empty for a task that has not finished.
    """
    rows = attempt.conn.execute(
        f"{_ATTEMPTS} SELECT b.is_repeat, r.topic, r.epoch, r.kafka_partition,"
        " r.from_offset, r.to_offset FROM attempts AS a"
        " CROSS JOIN finished AS f"
        " INNER JOIN ops.batches AS b ON a.stage_run_id = b.stage_run_id"
        " INNER JOIN ops.batch_ranges AS r ON b.batch_id = r.batch_id"
        " WHERE b.is_repeat = (a.stage_run_id > f.stage_run_id)",
        attempt.identity(),
    ).fetchall()
    found: dict[bool, list[Range]] = {False: [], True: []}
    for is_repeat, topic, epoch, partition, start, end in rows:
        found[is_repeat].append(
            Range(FeedPartition(topic, epoch, partition), start, end)
        )
    return attempt.without_dropped(range_sets.minus(found[False], found[True]))


def begin(attempt: "StageRun") -> Plan | None:
    """Begin the plan of the caller's run, or resume it; return the plan.

    A stage of it that had finished was cleared, and begins anew.
    """
    conn = attempt.conn
    plan = planned(conn, attempt.caller)
    if plan is None:
        return None
    attempt.reload_id = plan.reload_id
    with conn.transaction():
        if is_finished(conn, plan, attempt.stage):
            conn.execute(
                "DELETE FROM ops.reload_batches AS d USING ops.batches AS b"
                " WHERE d.batch_id = b.batch_id AND d.reload_id = %s AND b.stage = %s",
                (plan.reload_id, attempt.stage),
            )
        conn.execute(
            "INSERT INTO ops.reload_stages AS s (reload_id, stage) VALUES (%s, %s)"
            " ON CONFLICT (reload_id, stage) DO UPDATE SET"
            " begun_dt = excluded.begun_dt, finished_dt = NULL"
            " WHERE s.finished_dt IS NOT NULL",
            (plan.reload_id, attempt.stage),
        )
    return plan


def is_finished(conn: Connection, plan: Plan, stage: str) -> bool:
    """Return whether a stage has done all of a plan."""
    row = conn.execute(
        "SELECT 1 FROM ops.reload_stages WHERE (reload_id, stage) = (%s, %s)"
        " AND finished_dt IS NOT NULL",
        (plan.reload_id, stage),
    ).fetchone()
    return row is not None


def end(settings: Settings, caller: "Caller", stage: str) -> None:
    """Record that the caller has done all of a stage, when its task is over.

    Not before: a task that is killed in its next step would repeat the stage.
    """
    with connect(settings) as conn:
        conn.execute(
            "UPDATE ops.reload_stages AS s SET finished_dt = clock_timestamp()"
            " FROM ops.reloads AS l WHERE s.reload_id = l.reload_id AND s.stage = %s"
            " AND (l.dag_id, l.run_id) = (%s, %s)",
            (stage, caller.dag_id, caller.run_id),
        )


def left(attempt: "StageRun", ranges: Iterable[Range]) -> list[Range]:
    """Return the plan's ranges that the attempt's stage has not done yet."""
    rows = attempt.conn.execute(
        "SELECT r.topic, r.epoch, r.kafka_partition, r.from_offset, r.to_offset"
        " FROM ops.reload_batches AS d"
        " INNER JOIN ops.batches AS b ON d.batch_id = b.batch_id"
        " INNER JOIN ops.batch_ranges AS r ON b.batch_id = r.batch_id"
        " WHERE d.reload_id = %s AND b.stage = %s",
        (attempt.reload_id, attempt.stage),
    ).fetchall()
    done = [Range(FeedPartition(*log), start, end) for *log, start, end in rows]
    return range_sets.minus(ranges, done) if done else range_sets.merged(ranges)


def guests_done(attempt: "StageRun") -> UUID | None:
    """Return the last guest that a recount has done: of a plan, or a cleared task."""
    if attempt.reload_id is None:
        row = attempt.conn.execute(
            f"{_ATTEMPTS} SELECT g.done_until FROM attempts AS a"
            " CROSS JOIN finished AS f"
            " INNER JOIN ops.batches AS b ON a.stage_run_id = b.stage_run_id"
            " INNER JOIN ops.batch_guests AS g ON b.batch_id = g.batch_id"
            " WHERE a.stage_run_id > f.stage_run_id"
            " ORDER BY g.done_until DESC LIMIT 1",
            attempt.identity(),
        ).fetchone()
    else:
        row = attempt.conn.execute(
            "SELECT g.done_until FROM ops.reload_batches AS d"
            " INNER JOIN ops.batches AS b ON d.batch_id = b.batch_id"
            " INNER JOIN ops.batch_guests AS g ON b.batch_id = g.batch_id"
            " WHERE d.reload_id = %s AND b.stage = %s"
            " ORDER BY g.done_until DESC LIMIT 1",
            (attempt.reload_id, attempt.stage),
        ).fetchone()
    return row[0] if row else None


def done(conn: Connection, plan: Plan, stage: str) -> tuple[int, int]:
    """Return how many positions, and guests, a stage of a plan has done."""
    return conn.execute(
        "SELECT positions, guests FROM ops.v_reload_progress"
        " WHERE (reload_id, stage) = (%s, %s)",
        (plan.reload_id, stage),
    ).fetchone() or (0, 0)


def counts(conn: Connection, plan: Plan, stage: str) -> Counter[str]:
    """Return the counts of all attempts at a stage of a plan together."""
    rows = conn.execute(
        "SELECT c.key, sum(c.value::numeric)::bigint FROM ops.reload_batches AS d"
        " INNER JOIN ops.batches AS b ON d.batch_id = b.batch_id"
        " CROSS JOIN jsonb_each_text(b.counts) AS c"
        " WHERE d.reload_id = %s AND b.stage = %s GROUP BY c.key",
        (plan.reload_id, stage),
    ).fetchall()
    return Counter(dict(rows))


def enter(attempt: "StageRun", batch_id: int, batch: "Batch") -> None:
    """Record the progress of an open batch that is in the ledger by now."""
    if batch.is_repeat and attempt.reload_id is not None:
        attempt.conn.execute(
            "INSERT INTO ops.reload_batches (batch_id, reload_id) VALUES (%s, %s)",
            (batch_id, attempt.reload_id),
        )
    if batch.done_until is not None:
        attempt.conn.execute(
            "INSERT INTO ops.batch_guests (batch_id, done_until) VALUES (%s, %s)",
            (batch_id, batch.done_until),
        )

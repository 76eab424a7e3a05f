"""Which run took what a cleared task did not: another one may have been quicker."""

from typing import Any

from palate.database import Connection
from palate.positions import FeedPartition, Range
from palate.text import escape_controls

_NAMED = 3


def describe(conn: Connection, task: dict[str, Any]) -> str:
    """Return who took positions during a task's first attempt, or last before it.

    Clearing a task repeats only its own work. A person who saw a message arrive may
    clear the wrong one of two runs, and wonder that nothing is healed.

    :param task: ``stage``, ``dag_id``, ``run_id``, ``task_id``, ``map_index``
    :return: empty if nobody took anything, or this task did
    """
    rows = conn.execute(
        "WITH first AS (SELECT started_dt,"
        " coalesce(finished_dt, clock_timestamp()) AS finished_dt FROM ops.stage_runs"
        " WHERE (stage, dag_id, run_id, task_id, map_index) ="
        " (%(stage)s, %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)"
        " ORDER BY stage_run_id LIMIT 1),"
        " newest AS (SELECT b.batch_id, b.stage_run_id, b.committed_dt"
        " FROM ops.batches AS b, first AS f WHERE b.stage = %(stage)s"
        " AND NOT b.is_repeat AND b.committed_dt <= f.finished_dt"
        " ORDER BY b.batch_id DESC LIMIT 20)"
        " SELECT s.run_id, r.topic, r.epoch, r.kafka_partition, min(r.from_offset),"
        " max(r.to_offset) FROM newest AS n"
        " INNER JOIN ops.stage_runs AS s USING (stage_run_id)"
        " INNER JOIN ops.batch_ranges AS r USING (batch_id)"
        " WHERE (n.committed_dt >= (SELECT started_dt FROM first)"
        " OR n.batch_id = (SELECT max(batch_id) FROM newest))"
        " AND NOT EXISTS (SELECT FROM ops.stage_runs AS own"
        " INNER JOIN ops.batches AS b USING (stage_run_id)"
        " WHERE (own.stage, own.dag_id, own.run_id, own.task_id, own.map_index) ="
        " (%(stage)s, %(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s)"
        " AND NOT b.is_repeat)"
        " GROUP BY s.run_id, r.topic, r.epoch, r.kafka_partition"
        " ORDER BY max(n.batch_id) DESC, r.topic, r.epoch, r.kafka_partition",
        task,
    ).fetchall()
    runs: dict[str, list[str]] = {}
    for run_id, topic, epoch, partition, start, end in rows:
        taken = Range(FeedPartition(topic, epoch, partition), start, end)
        runs.setdefault(run_id, []).append(str(taken))
    if not runs:
        return ""
    taken_by = "; ".join(
        f"{', '.join(ranges)} by {run_id}"
        for run_id, ranges in list(runs.items())[:_NAMED]
    )
    return (
        "This run has taken nothing, so there is nothing that it does again. Others "
        f"took, at that time or last before it: {escape_controls(taken_by)}. To heal "
        "what they took, clear that run, or reload that time."
    )

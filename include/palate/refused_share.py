"""The alarm for a sudden share of refused messages: the sender changed its format."""

from palate.errors import RefusedShareError
from palate.settings import Settings
from palate.stage import StageRun


def check_share(attempt: StageRun, settings: Settings) -> None:
    """Raise if much of a batch was refused that nobody was told of yet.

    Only new messages count, not what a task repeats or a replay judges again. An
    attempt that was killed before it could tell is told of here: whoever holds the
    stage's lock knows that the other attempts that are still open are dead. The
    attempts that are told of are closed, so that each batch raises once.

    :raises RefusedShareError: if the share of a batch is ``PALATE_REFUSED_SHARE`` or
        more, of ``PALATE_REFUSED_LEAST`` messages or more
    """
    conn = attempt.conn
    batches = conn.execute(
        "SELECT b.batch_id, (b.counts ->> 'documents')::bigint AS documents,"
        " (b.counts ->> 'refused')::bigint AS refused"
        " FROM ops.stage_runs AS s INNER JOIN ops.batches AS b USING (stage_run_id)"
        " WHERE s.stage = %(stage)s AND s.outcome = 'running' AND NOT b.is_repeat"
        " AND (b.counts ->> 'documents')::bigint >= %(least)s"
        " AND (b.counts ->> 'refused')::bigint"
        " >= %(share)s * (b.counts ->> 'documents')::bigint",
        {
            "stage": attempt.stage,
            "least": settings.palate_refused_least,
            "share": settings.palate_refused_share,
        },
    ).fetchall()
    if not batches:
        return
    documents = sum(number for _, number, _ in batches)
    refused = sum(number for _, _, number in batches)
    reasons = conn.execute(
        "SELECT m.reason, count(*) AS number FROM ops.batch_ranges AS b"
        " INNER JOIN stg.rejected_messages AS m ON (m.topic, m.epoch,"
        " m.kafka_partition) = (b.topic, b.epoch, b.kafka_partition)"
        " AND m.kafka_offset >= b.from_offset AND m.kafka_offset < b.to_offset"
        " WHERE b.batch_id = ANY(%s) GROUP BY m.reason ORDER BY number DESC, m.reason",
        ([batch_id for batch_id, _, _ in batches],),
    ).fetchall()
    message = (
        f"{refused} of {documents} new messages were refused "
        f"({refused / documents:.0%}; the alarm is set to "
        f"{settings.palate_refused_share:.0%}): "
        f"{', '.join(f'{reason} {number}' for reason, number in reasons)}. What is "
        "right is loaded, the next run goes on after it. See what came by `palate "
        "rejected list` and `palate rejected show`; once the cause is mended, `palate "
        "rejected replay` takes the messages again. See docs/operations.md, 'Many "
        "messages were refused'."
    )
    conn.execute(
        "UPDATE ops.stage_runs SET outcome = 'failed', error = %(error)s,"
        " finished_dt = clock_timestamp()"
        " WHERE stage = %(stage)s AND outcome = 'running'",
        {"stage": attempt.stage, "error": message},
    )
    raise RefusedShareError(message)

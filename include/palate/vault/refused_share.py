"""The alarm for a sudden share of refused messages: the sender changed its format.

The share is that of the newest batches, as many as it takes to have enough messages: at
a few orders a minute no batch has fifty. By position, not by the clock: a quiet night
neither raises an alarm nor ends one.
"""

from dataclasses import dataclass

from palate import incidents
from palate.database import Connection
from palate.engine import Batch, StageRun
from palate.errors import RefusedShareError
from palate.incidents import Kind
from palate.names import REFUSED_AS, is_replay
from palate.settings import Settings


@dataclass(frozen=True)
class _Window:
    """The newest batches up to one batch, together."""

    first_batch_id: int
    last_batch_id: int
    documents: int
    refused: int


# New batches since the last check, each with the newest ones up to it: the fewest that
# have enough messages. Only new messages count, neither a task's repeats nor replays.
# Batches without a message are left out, so that a window never spans more batches than
# it needs messages.
_WINDOWS = """
WITH new_batches AS (
    SELECT
        batch_id,
        (counts ->> 'documents')::bigint AS documents,
        (counts ->> 'refused')::bigint AS refused
    FROM ops.batches
    WHERE
        stage = %(stage)s
        AND batch_id > %(checked)s
        AND NOT is_repeat
        AND (counts ->> 'documents')::bigint > 0
        AND counts ? 'refused'
)

SELECT
    min(before.batch_id) AS first_batch_id,
    n.batch_id,
    sum(before.documents)::bigint AS documents,
    sum(before.refused)::bigint AS refused
FROM new_batches AS n
CROSS JOIN LATERAL (
    SELECT
        last.batch_id,
        last.documents,
        last.refused,
        sum(last.documents) OVER (ORDER BY last.batch_id DESC) - last.documents AS later
    FROM (
        SELECT
            b.batch_id,
            (b.counts ->> 'documents')::bigint AS documents,
            (b.counts ->> 'refused')::bigint AS refused
        FROM ops.batches AS b
        WHERE
            b.stage = %(stage)s
            AND b.batch_id <= n.batch_id
            AND NOT b.is_repeat
            AND (b.counts ->> 'documents')::bigint > 0
            AND b.counts ? 'refused'
        ORDER BY b.batch_id DESC
        LIMIT %(least)s
    ) AS last
) AS before
WHERE before.later < %(least)s
GROUP BY n.batch_id
HAVING sum(before.documents) >= %(least)s
ORDER BY n.batch_id
"""


def check_share(attempt: StageRun, settings: Settings) -> None:
    """Raise once when the share of refused messages becomes too high.

    This opens an incident; it ends with the first batch after which the share is small
    again. Batches of an attempt that died before its check are checked here.

    :raises RefusedShareError: if the share is ``PALATE_REFUSED_SHARE`` or more among
        the newest messages, ``PALATE_REFUSED_LEAST`` or a few more
    """
    conn = attempt.conn
    message = None
    with conn.transaction():
        for window in _new_windows(conn, attempt.stage, settings):
            is_much = window.refused >= settings.palate_refused_share * window.documents
            if is_much and not incidents.is_open(
                conn, Kind.REFUSED_SHARE, attempt.stage
            ):
                message = _sentence(conn, attempt.stage, window, settings)
                incidents.begin(conn, Kind.REFUSED_SHARE, attempt.stage, message)
            elif not is_much:
                incidents.end(conn, Kind.REFUSED_SHARE, attempt.stage)
    if message:
        raise RefusedShareError(message)


def count_refused(conn: Connection, batch: Batch, documents: str) -> None:
    """Count what an open batch of the vault has refused, by reason.

    :param documents: the temporary table of one source's judged messages
    """
    # Replays apart: they say nothing about what the sender does now.
    has_replays = any(is_replay(item.log.topic) for item in batch.ranges)
    refused, own = conn.execute(
        "SELECT count(*) FILTER (WHERE reason <> 'own_message'),"
        f" count(*) FILTER (WHERE reason = 'own_message') FROM {documents}"
        " WHERE NOT was_refused"
    ).fetchone() or (0, 0)
    batch.counts["refused_again" if has_replays else "refused"] += refused
    if refused and not has_replays:
        # A misfit has its reason only once it is stored as refused.
        for reason, number in conn.execute(
            f"SELECT m.reason, count(*) FROM {documents} AS d"
            " INNER JOIN stg.rejected_messages AS m"
            " USING (topic, epoch, kafka_partition, kafka_offset)"
            " WHERE d.reason IS NOT NULL AND NOT d.was_refused"
            " AND m.reason <> 'own_message'"
            " GROUP BY m.reason ORDER BY m.reason"
        ).fetchall():
            batch.counts[REFUSED_AS + reason] += number
    if own:
        # Not an error: excluded from the refused share.
        batch.counts["own_messages"] += own
        batch.counts["documents"] -= own


def _new_windows(conn: Connection, stage: str, settings: Settings) -> list[_Window]:
    """Return a window for each batch since the last check, and move the check on."""
    (checked,) = conn.execute(
        "SELECT last_batch_id FROM ops.refused_judged WHERE stage = %s", (stage,)
    ).fetchone() or (0,)
    rows = conn.execute(
        _WINDOWS,
        {
            "stage": stage,
            "checked": checked,
            "least": settings.palate_refused_least,
        },
    ).fetchall()
    conn.execute(
        "INSERT INTO ops.refused_judged AS j (stage, last_batch_id)"
        " SELECT stage, max(batch_id) FROM ops.batches WHERE stage = %s GROUP BY stage"
        " ON CONFLICT (stage) DO UPDATE SET last_batch_id = excluded.last_batch_id"
        " WHERE excluded.last_batch_id > j.last_batch_id",
        (stage,),
    )
    return [_Window(*row) for row in rows]


def _sentence(conn: Connection, stage: str, window: _Window, settings: Settings) -> str:
    reasons = conn.execute(
        "SELECT m.reason, count(*) AS number FROM ops.batches AS b"
        " INNER JOIN ops.batch_ranges AS r USING (batch_id)"
        " INNER JOIN stg.rejected_messages AS m ON (m.topic, m.epoch,"
        " m.kafka_partition) = (r.topic, r.epoch, r.kafka_partition)"
        " AND m.kafka_offset >= r.from_offset AND m.kafka_offset < r.to_offset"
        " WHERE b.stage = %s AND NOT b.is_repeat"
        " AND b.batch_id BETWEEN %s AND %s"
        " GROUP BY m.reason ORDER BY number DESC, m.reason",
        (stage, window.first_batch_id, window.last_batch_id),
    ).fetchall()
    return (
        f"{window.refused} of the newest {window.documents} messages were refused "
        f"({window.refused / window.documents:.0%}; the alarm is set to "
        f"{settings.palate_refused_share:.0%}): "
        f"{', '.join(f'{reason} {number}' for reason, number in reasons)}. What is "
        "right is loaded, the next run goes on after it; this alarm is sent once. See "
        "what came by `palate rejected list` and `palate rejected show`; once the "
        "cause is mended, `palate rejected replay` takes the messages again. See "
        "docs/operations.md, 'Many messages were refused'."
    )

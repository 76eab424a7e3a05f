-- Of the messages of the last day few were refused (PALATE_REFUSED_SHARE).
{#- #fail #}
SELECT
    b.stage,
    sum((b.counts ->> 'refused')::bigint) AS refused,
    sum((b.counts ->> 'documents')::bigint) AS messages
FROM ops.batches AS b
WHERE
    b.stage IN (
        SELECT s.stage
        FROM ops.stages AS s
        WHERE s.reads_staging
    )
    AND NOT b.is_repeat
    AND b.counts ? 'refused'
    AND b.committed_dt >= %(day_dt)s
GROUP BY b.stage
HAVING
    sum((b.counts ->> 'documents')::bigint) >= %(refused_least)s
    AND sum((b.counts ->> 'refused')::bigint)
    >= %(refused_share)s * sum((b.counts ->> 'documents')::bigint)

-- Every message that the ledger counts as staged is in stg.order_events.
{#- #fail #}
SELECT
    b.batch_id,
    b.counts -> 'messages' AS staged,
    found.there,
    found.ranges
FROM ops.batches AS b
CROSS JOIN LATERAL (
    SELECT
        sum(of_range.there) AS there,
        string_agg(
            format(
                '%%s[%%s] epoch %%s %%s..%%s',
                r.topic,
                r.kafka_partition,
                r.epoch,
                r.from_offset,
                r.to_offset - 1
            ),
            ', '
        ) AS ranges
    FROM ops.batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT count(*) AS there
        FROM stg.order_events AS e
        WHERE
            {{ in_range("e") | indent(12) }}
    ) AS of_range
    WHERE r.batch_id = b.batch_id
) AS found
WHERE
    b.stage = 'drain'
    AND NOT b.is_repeat
    AND (b.counts ->> 'messages')::bigint <> found.there
    -- What retention has dropped is gone on purpose.
    AND NOT EXISTS (
        SELECT 1
        FROM ops.batch_ranges AS r
        INNER JOIN ops.event_partitions AS p
            ON
                r.topic = p.topic
                AND r.epoch = p.epoch
                AND r.kafka_partition = p.kafka_partition
                AND r.from_offset < p.to_offset
                AND r.to_offset > p.from_offset
        WHERE r.batch_id = b.batch_id AND p.dropped_dt IS NOT NULL
    )

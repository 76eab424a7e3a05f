-- Every message that the ledger counts as staged is in stg.order_events.
{#- #fail, by piece of STG #}
SELECT
    b.batch_id,
    b.counts -> 'messages' AS staged,
    found.there,
    found.ranges
FROM ops.batch_ranges AS lowest
INNER JOIN ops.batches AS b ON lowest.batch_id = b.batch_id
CROSS JOIN LATERAL (
    SELECT
        sum(
            stg.number_of_messages(
                r.topic, r.epoch, r.kafka_partition, r.from_offset, r.to_offset
            )
        ) AS there,
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
    WHERE r.batch_id = b.batch_id
    OFFSET 0  -- counted once
) AS found
WHERE
    -- A batch is checked where the first of its ranges begins.
    {{ in_piece("lowest", "from_offset") | indent(4) }}
    AND NOT EXISTS (
        SELECT 1
        FROM ops.batch_ranges AS r
        WHERE
            r.batch_id = lowest.batch_id
            AND (r.topic, r.epoch, r.kafka_partition)
            < (lowest.topic, lowest.epoch, lowest.kafka_partition)
    )
    AND b.stage = any(%(drains)s)
    AND NOT b.is_repeat
    AND (b.counts ->> 'messages')::bigint <> found.there
    -- What retention has dropped is not missing.
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

-- The messages to decide on now: what was refused before, only a replay judges again.
CREATE TEMP TABLE batch_documents ON COMMIT DROP AS
SELECT
    d.topic,
    d.epoch,
    d.kafka_partition,
    d.kafka_offset,
    d.form,
    d.reason,
    d.doc
FROM batch_orders AS d
WHERE
    NOT EXISTS (  -- asked once; there is none but where a range is loaded again
        SELECT 1
        FROM batch_ranges AS r
        CROSS JOIN LATERAL (
            SELECT 1
            FROM stg.rejected_messages AS s
            WHERE
                {{ in_range("s") | indent(16) }}
            LIMIT 1
        ) AS m
        WHERE NOT r.is_replay
    )
    OR NOT EXISTS (
        SELECT 1
        FROM stg.rejected_messages AS s
        WHERE
            s.topic = d.topic
            AND s.epoch = d.epoch
            AND s.kafka_partition = d.kafka_partition
            AND s.kafka_offset = d.kafka_offset
        OFFSET 0  -- one look-up per message, whatever the statistics say
    )

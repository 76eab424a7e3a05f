-- The batch's messages, and which of them were refused before: only a replay evaluates
-- those again.
{#- makes: {lead}_documents #}
CREATE TEMP TABLE batch_{{ lead }}_documents ON COMMIT DROP AS
SELECT
    d.topic,
    d.epoch,
    d.kafka_partition,
    d.kafka_offset,
    d.broker_dt,
    d.form,
    d.reason,
    d.doc,
    EXISTS (  -- mostly empty: only a repeated range has any
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
    AND EXISTS (
        SELECT 1
        FROM stg.rejected_messages AS s
        WHERE
            s.topic = d.topic
            AND s.epoch = d.epoch
            AND s.kafka_partition = d.kafka_partition
            AND s.kafka_offset = d.kafka_offset
        OFFSET 0  -- one look-up per message, whatever the statistics say
    ) AS was_refused
FROM batch_{{ lead }} AS d

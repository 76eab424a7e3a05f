{#- The records of a feed in the batch that were not refused, each parsed once. -#}
{%- macro accepted(feed) -%}
SELECT
    s.topic,
    s.epoch,
    s.kafka_partition,
    s.kafka_offset,
    s.broker_dt,
    stg.jsonb_or_null(s.message) AS doc
FROM batch_ranges AS r
CROSS JOIN LATERAL
    -- A function, so that a range locks its own partitions only.
    stg.messages(
        r.topic, r.epoch, r.kafka_partition, r.from_offset, r.to_offset
    ) AS s
WHERE
    r.topic = '{{ feed }}'
    AND NOT EXISTS (
        SELECT 1
        FROM stg.rejected_messages AS m
        WHERE
            m.topic = s.topic
            AND m.epoch = s.epoch
            AND m.kafka_partition = s.kafka_partition
            AND m.kafka_offset = s.kafka_offset
    )
OFFSET 0  -- each message is parsed once
{%- endmacro -%}

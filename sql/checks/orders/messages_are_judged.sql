-- Every staged message that the vault has taken is loaded or refused, and not both.
{#- #fail, by piece of STG #}
SELECT
    e.topic,
    e.epoch,
    e.kafka_partition,
    e.kafka_offset,
    CASE WHEN v.topic IS NULL THEN 'neither' ELSE 'both' END AS what,
    m.reason
FROM ops.watermarks AS w
INNER JOIN stg.order_events AS e
    ON
        w.topic = e.topic
        AND w.epoch = e.epoch
        AND w.kafka_partition = e.kafka_partition
        AND w.first_offset <= e.kafka_offset
        AND w.next_offset > e.kafka_offset
LEFT JOIN dds.s_order_version AS v
    ON
        e.topic = v.topic
        AND e.epoch = v.epoch
        AND e.kafka_partition = v.kafka_partition
        AND e.kafka_offset = v.kafka_offset
        AND {{ in_piece("v") | indent(8) }}
LEFT JOIN stg.rejected_messages AS m
    ON
        e.topic = m.topic
        AND e.epoch = m.epoch
        AND e.kafka_partition = m.kafka_partition
        AND e.kafka_offset = m.kafka_offset
        AND {{ in_piece("m") | indent(8) }}
WHERE
    w.stage = 'vault'
    AND {{ in_piece("e") | indent(4) }}
    AND (v.topic IS NULL) = (m.topic IS NULL)

-- What a replay has found to be an order is refused no more.
DELETE FROM stg.rejected_messages AS m
USING (
    SELECT
        o.topic,
        o.epoch,
        o.kafka_partition,
        o.kafka_offset
    FROM batch_ranges AS r
    INNER JOIN batch_orders AS o
        ON
            r.topic = o.topic
            AND r.epoch = o.epoch
            AND r.kafka_partition = o.kafka_partition
            AND r.from_offset = o.kafka_offset  -- a replayed range has one position
    WHERE r.is_replay
) AS accepted
WHERE
    m.topic = accepted.topic
    AND m.epoch = accepted.epoch
    AND m.kafka_partition = accepted.kafka_partition
    AND m.kafka_offset = accepted.kafka_offset

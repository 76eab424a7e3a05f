-- Messages that a replay has accepted are no longer refused.
DELETE FROM stg.rejected_messages AS m
USING (
    SELECT
        topic,
        epoch,
        kafka_partition,
        kafka_offset
    FROM batch_{{ lead }}
    WHERE
        EXISTS (
            SELECT 1
            FROM batch_ranges AS r
            WHERE r.is_replay
        )
    INTERSECT  -- a replayed range has one position
    SELECT
        topic,
        epoch,
        kafka_partition,
        from_offset
    FROM batch_ranges
    WHERE is_replay
) AS accepted
WHERE
    m.topic = accepted.topic
    AND m.epoch = accepted.epoch
    AND m.kafka_partition = accepted.kafka_partition
    AND m.kafka_offset = accepted.kafka_offset

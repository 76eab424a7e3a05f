-- Leave out what was refused before: only a replay judges a message again.
DELETE FROM batch_documents AS d
USING (
    SELECT
        s.topic,
        s.epoch,
        s.kafka_partition,
        s.kafka_offset
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT
            m.topic,
            m.epoch,
            m.kafka_partition,
            m.kafka_offset
        FROM stg.rejected_messages AS m
        WHERE
            m.topic = r.topic
            AND m.epoch = r.epoch
            AND m.kafka_partition = r.kafka_partition
            AND m.kafka_offset >= r.from_offset
            AND m.kafka_offset < r.to_offset
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS s
    WHERE NOT r.is_replay
) AS refused
WHERE
    d.topic = refused.topic
    AND d.epoch = refused.epoch
    AND d.kafka_partition = refused.kafka_partition
    AND d.kafka_offset = refused.kafka_offset

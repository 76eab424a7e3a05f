-- Refuse the versions that are more than a day ahead of the broker's time.
WITH future AS (
    DELETE FROM batch_orders
    WHERE version_dt > broker_dt AT TIME ZONE 'UTC' + interval '1 day'
    RETURNING topic, epoch, kafka_partition, kafka_offset
)

UPDATE batch_documents AS d
SET reason = 'version_in_future'
FROM future AS f
WHERE
    d.topic = f.topic
    AND d.epoch = f.epoch
    AND d.kafka_partition = f.kafka_partition
    AND d.kafka_offset = f.kafka_offset

-- The events about files, one row per position, as they came.
CREATE OR REPLACE VIEW stg.file_events AS
SELECT
    e.topic,
    e.epoch,
    e.kafka_partition,
    e.kafka_offset,
    e.broker_dt,
    e.kafka_key,
    e.message,
    e.headers,
    e.staged_dt
FROM stg.order_events AS e
WHERE
    e.topic IN (
        SELECT w.topic
        FROM ops.watermarks AS w
        WHERE w.stage = 'files/drain'
    )

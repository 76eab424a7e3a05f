-- The messages of the airline's topics, one row per position, tombstones too; and the
-- rows that comparisons with its standby have read.
CREATE OR REPLACE VIEW stg.change_events AS
SELECT
    e.topic,
    e.epoch,
    e.kafka_partition,
    e.kafka_offset,
    e.broker_dt,
    e.kafka_key,
    e.message,
    e.headers
FROM stg.order_events AS e
WHERE
    e.topic IN (
        SELECT w.topic
        FROM ops.watermarks AS w
        WHERE w.stage IN ('flights/drain', 'flights.reconciled')
    )

-- Each record of a file that is staged: its position, its bytes, its file and number.
CREATE OR REPLACE VIEW stg.file_records AS
SELECT
    e.topic,
    e.epoch,
    e.kafka_partition,
    e.kafka_offset,
    e.broker_dt,
    e.message,
    f.import_id,
    e.kafka_offset - f.from_offset + 1 AS record_no,
    e.staged_dt
FROM stg.files AS f
INNER JOIN stg.order_events AS e
    ON
        f.feed = e.topic
        AND f.from_offset <= e.kafka_offset
        AND f.to_offset > e.kafka_offset

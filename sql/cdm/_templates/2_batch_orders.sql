-- The orders that messages of this range are about.
CREATE TEMP TABLE batch_orders ON COMMIT DROP AS
SELECT DISTINCT v.order_id
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    SELECT s.order_id
    FROM dds.s_order_version AS s
    WHERE
        s.topic = r.topic
        AND s.epoch = r.epoch
        AND s.kafka_partition = r.kafka_partition
        AND s.kafka_offset >= r.from_offset
        AND s.kafka_offset < r.to_offset
    OFFSET 0  -- one index scan per range, whatever the statistics say
) AS v
WHERE r.topic <> %(dictionary_feed)s

-- The orders that messages of this range are about.
CREATE TEMP TABLE batch_orders ON COMMIT DROP AS
SELECT DISTINCT v.order_id
FROM batch_ranges AS r
INNER JOIN dds.s_order_version AS v
    ON
        r.topic = v.topic
        AND r.epoch = v.epoch
        AND r.kafka_partition = v.kafka_partition
        AND r.from_offset <= v.kafka_offset
        AND r.to_offset > v.kafka_offset
WHERE r.topic <> %(dictionary_feed)s

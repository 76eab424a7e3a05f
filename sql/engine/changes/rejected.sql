-- Store refused changes, with the reason; a replay may have found another one.
INSERT INTO {{ refused }} AS m (
    topic, epoch, kafka_partition, kafka_offset, reason, detail, rejected_dt
)
SELECT
    d.topic,
    d.epoch,
    d.kafka_partition,
    d.kafka_offset,
    split_part(d.reason, ': ', 1) AS reason,
    substr(d.reason, strpos(d.reason, ': ') + 2) AS detail,
    %(load_dt)s AS rejected_dt
FROM batch_{{ lead }}_documents AS d
WHERE d.reason IS NOT NULL AND NOT d.was_refused
ORDER BY d.topic, d.epoch, d.kafka_partition, d.kafka_offset
ON CONFLICT (topic, epoch, kafka_partition, kafka_offset) DO UPDATE
    SET
        reason = excluded.reason,
        detail = excluded.detail
    WHERE (m.reason, m.detail) IS DISTINCT FROM (excluded.reason, excluded.detail)

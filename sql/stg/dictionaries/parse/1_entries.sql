-- Take the dictionary entries of the batch's range.
CREATE TEMP TABLE batch_entries ON COMMIT DROP AS
SELECT
    e.topic,
    e.epoch,
    e.kafka_partition,
    e.kafka_offset,
    e.topic AS load_src,
    e.id,
    e.version_dt,
    e.entry,
    jsonb_typeof(e.entry -> 'menu') IS NOT DISTINCT FROM 'array' AS is_restaurant
FROM batch_ranges AS r
INNER JOIN stg.dictionary_entries AS e
    ON
        r.topic = e.topic
        AND r.epoch = e.epoch
        AND r.kafka_partition = e.kafka_partition
        AND r.from_offset <= e.kafka_offset
        AND r.to_offset > e.kafka_offset

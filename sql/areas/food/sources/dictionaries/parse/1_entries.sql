-- Read the dictionary entries of the batch's range.
{#- makes: entries #}
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
CROSS JOIN LATERAL (
    SELECT
        s.topic,
        s.epoch,
        s.kafka_partition,
        s.kafka_offset,
        s.id,
        s.version_dt,
        s.entry
    FROM stg.dictionary_entries AS s
    WHERE
        {{ in_range("s") | indent(8) }}
    OFFSET 0  -- one index scan per range, whatever the statistics say
) AS e

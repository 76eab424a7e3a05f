-- The messages of the source's own feed, each parsed once: rows as a comparison with
-- the source has read them.
{#- makes: {lead}_own #}
CREATE TEMP TABLE batch_{{ lead }}_own ON COMMIT DROP AS
SELECT
    p.topic,
    p.epoch,
    p.kafka_partition,
    p.kafka_offset,
    p.broker_dt,
    p.headers,
    p.has_no_key,
    p.doc,
    p.key_doc,
    p.doc #>> '{source,table}' AS table_name
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    SELECT
        s.topic,
        s.epoch,
        s.kafka_partition,
        s.kafka_offset,
        s.broker_dt,
        s.headers,
        s.kafka_key IS NULL AS has_no_key,
        stg.jsonb_or_null(s.message) AS doc,
        stg.jsonb_or_null(s.kafka_key) AS key_doc
    FROM
        stg.messages(
            r.topic, r.epoch, r.kafka_partition, r.from_offset, r.to_offset
        ) AS s
    OFFSET 0
) AS p
WHERE r.form = '{{ own }}'

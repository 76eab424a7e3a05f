-- The orders of this range's messages, and those that waited for a name or a category
-- in it.
{#- makes: touched_orders #}
CREATE TEMP TABLE touched_orders ON COMMIT DROP AS
SELECT
    v.order_id,
    v.topic,
    v.epoch,
    v.kafka_partition,
    v.kafka_offset
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    SELECT
        s.order_id,
        s.topic,
        s.epoch,
        s.kafka_partition,
        s.kafka_offset
    FROM dds.s_order_version AS s
    WHERE
        {{ in_range("s") | indent(8) }}
    OFFSET 0  -- one index scan per range, whatever the statistics say
) AS v
UNION ALL
SELECT DISTINCT
    w.order_id,
    NULL AS topic,
    NULL::integer AS epoch,
    NULL::integer AS kafka_partition,
    NULL::bigint AS kafka_offset
FROM told_keys AS k
INNER JOIN ops.order_waits AS w ON k.key = w.missing_key

-- The dishes of the menus in this range, and those of other contents of the same
-- version of an entry: the one staged later, menu or not, replaces them.
{#- makes: batch_menu_products #}
CREATE TEMP TABLE batch_menu_products ON COMMIT DROP AS
SELECT DISTINCT line.h_product_pk
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    (
        SELECT
            s.h_restaurant_pk,
            s.version_dt
        FROM {{ dds }}.s_restaurant_names AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    )
    UNION ALL
    (
        SELECT
            s.h_user_pk AS h_restaurant_pk,  -- both share one key space
            s.version_dt
        FROM {{ dds }}.s_user_names AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0
    )
) AS came
CROSS JOIN LATERAL (
    SELECT
        v.topic,
        v.epoch,
        v.kafka_partition,
        v.kafka_offset
    FROM {{ dds }}.s_restaurant_names AS v
    WHERE
        v.h_restaurant_pk = came.h_restaurant_pk
        AND v.version_dt = came.version_dt
    OFFSET 0  -- one look-up per entry: before statistics, all would meet all
) AS version
CROSS JOIN LATERAL (
    SELECT l.h_product_pk
    FROM {{ dds }}.s_product_category AS l
    WHERE
        l.topic = version.topic
        AND l.epoch = version.epoch
        AND l.kafka_partition = version.kafka_partition
        AND l.kafka_offset = version.kafka_offset
    OFFSET 0
) AS line
WHERE r.topic = '{{ dictionary_feed }}'

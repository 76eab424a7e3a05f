-- The dishes of the menus that came in this range, with those of other contents of the
-- same version of an entry: the one staged later, menu or not, puts them out of force.
{#- makes: batch_menu_products #}
CREATE TEMP TABLE batch_menu_products ON COMMIT DROP AS
SELECT DISTINCT line.h_product_pk
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    (
        SELECT
            s.h_restaurant_pk,
            s.version_dt
        FROM dds.s_restaurant_names AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    )
    UNION ALL
    (
        SELECT
            s.h_user_pk AS h_restaurant_pk,  -- both share one key space
            s.version_dt
        FROM dds.s_user_names AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0
    )
) AS came
INNER JOIN dds.s_restaurant_names AS version
    ON
        came.h_restaurant_pk = version.h_restaurant_pk
        AND came.version_dt = version.version_dt
INNER JOIN dds.s_product_category AS line
    ON
        version.topic = line.topic
        AND version.epoch = line.epoch
        AND version.kafka_partition = line.kafka_partition
        AND version.kafka_offset = line.kafka_offset
WHERE r.topic = %(dictionary_feed)s

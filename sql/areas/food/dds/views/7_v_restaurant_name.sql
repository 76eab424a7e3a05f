-- What a restaurant is called now: by the newest dictionary entry, else by the newest
-- order.
{%- from "areas/food/dds/parts/rank.sql" import newest_first %}
CREATE OR REPLACE VIEW {{ dds }}.v_restaurant_name AS
SELECT
    r.h_restaurant_pk,
    r.restaurant_id,
    coalesce(entry.name, ordered.name) AS restaurant_name
FROM {{ dds }}.h_restaurant AS r
LEFT JOIN LATERAL (
    SELECT n.name
    FROM {{ dds }}.s_restaurant_names AS n
    WHERE
        n.h_restaurant_pk = r.h_restaurant_pk
        AND n.topic = '{{ dictionary_feed }}'
    ORDER BY n.version_dt DESC, n.kafka_offset DESC
    LIMIT 1
) AS entry ON TRUE
LEFT JOIN LATERAL (
    SELECT n.name
    FROM {{ dds }}.s_restaurant_names AS n
    INNER JOIN {{ dds }}.s_order_version AS v
        ON
            n.topic = v.topic
            AND n.epoch = v.epoch
            AND n.kafka_partition = v.kafka_partition
            AND n.kafka_offset = v.kafka_offset
    WHERE n.h_restaurant_pk = r.h_restaurant_pk AND entry.name IS NULL
    ORDER BY {{ newest_first("v") | replace("v.version_dt", "n.version_dt") }}
    LIMIT 1
) AS ordered ON TRUE

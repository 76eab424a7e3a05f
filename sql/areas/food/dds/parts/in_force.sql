{#- Of two contents of one version of a menu, the one staged later counts. The later one
may be no menu: users and restaurants share one key space. -#}
NOT EXISTS (
    SELECT 1
    FROM {{ dds }}.s_restaurant_names AS later
    WHERE
        later.h_restaurant_pk = line.h_restaurant_pk
        AND later.version_dt = line.version_dt
        AND later.topic = line.topic
        AND later.kafka_offset > line.kafka_offset
)
AND NOT EXISTS (
    SELECT 1
    FROM {{ dds }}.s_user_names AS later
    WHERE
        later.h_user_pk = line.h_restaurant_pk
        AND later.version_dt = line.version_dt
        AND later.topic = line.topic
        AND later.kafka_offset > line.kafka_offset
)

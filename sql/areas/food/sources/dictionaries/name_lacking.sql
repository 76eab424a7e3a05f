-- Record dishes in orders of this range that the known menu of their restaurant lacks:
-- the menu has changed, or the dish is from another one.
INSERT INTO ops.menu_lookups (
    restaurant_id, product_id, first_staged_dt, tried_cnt, tried_dt, next_try_dt
)
WITH versions AS MATERIALIZED (
    SELECT
        s.order_id,
        s.version_dt,
        s.hk_order_item_hashdiff,
        s.h_restaurant_pk,
        s.load_dt
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT
            v.order_id,
            v.version_dt,
            v.hk_order_item_hashdiff,
            v.h_restaurant_pk,
            v.load_dt
        FROM dds.s_order_version AS v
        WHERE
            {{ in_range("v") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS s
),

known_menus AS MATERIALIZED (
    SELECT
        named.h_restaurant_pk,
        r.restaurant_id,
        newest.topic,
        newest.kafka_offset,
        newest.version_dt
    FROM (SELECT DISTINCT h_restaurant_pk FROM versions) AS named
    INNER JOIN dds.h_restaurant AS r ON named.h_restaurant_pk = r.h_restaurant_pk
    CROSS JOIN LATERAL (
        SELECT
            e.topic,
            e.kafka_offset,
            e.version_dt
        FROM stg.dictionary_entries AS e
        WHERE e.id = r.restaurant_id
        ORDER BY e.version_dt DESC, e.kafka_offset DESC
        LIMIT 1
    ) AS newest
),

ordered AS (
    SELECT
        v.h_restaurant_pk,
        i.h_product_pk,
        min(v.load_dt) AS first_staged_dt
    FROM versions AS v
    INNER JOIN known_menus AS k ON v.h_restaurant_pk = k.h_restaurant_pk
    CROSS JOIN LATERAL (
        SELECT s.h_product_pk
        FROM dds.s_order_item AS s
        WHERE
            s.order_id = v.order_id
            AND s.version_dt = v.version_dt
            AND s.hk_order_item_hashdiff = v.hk_order_item_hashdiff
        OFFSET 0
    ) AS i
    GROUP BY v.h_restaurant_pk, i.h_product_pk
)

SELECT
    k.restaurant_id,
    p.product_id,
    o.first_staged_dt,
    0 AS tried_cnt,
    %(load_dt)s AS tried_dt,
    %(load_dt)s AS next_try_dt
FROM ordered AS o
INNER JOIN known_menus AS k ON o.h_restaurant_pk = k.h_restaurant_pk
INNER JOIN dds.h_product AS p ON o.h_product_pk = p.h_product_pk
WHERE
    NOT EXISTS (
        SELECT 1
        FROM dds.s_product_category AS c
        WHERE
            c.h_product_pk = o.h_product_pk
            AND c.version_dt = k.version_dt
            AND c.topic = k.topic
            AND c.kafka_offset = k.kafka_offset
        OFFSET 0
    )
ORDER BY k.restaurant_id, p.product_id
ON CONFLICT (restaurant_id, product_id) DO NOTHING

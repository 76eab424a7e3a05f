-- What a dish is called now: by the newest menu, else by the newest order
-- (contract, section 4).
CREATE OR REPLACE VIEW dds.v_product_name AS
SELECT
    p.h_product_pk,
    p.product_id,
    coalesce(menu.name, ordered.product_name) AS product_name,
    menu.name IS NOT NULL AS is_from_menu
FROM dds.h_product AS p
LEFT JOIN LATERAL (
    SELECT n.name
    FROM dds.s_product_names AS n
    INNER JOIN dds.h_restaurant AS r ON n.h_restaurant_pk = r.h_restaurant_pk
    WHERE
        n.h_product_pk = p.h_product_pk
        -- Of two contents of one version of a menu, the one staged later counts.
        AND NOT EXISTS (
            SELECT 1
            FROM dds.s_restaurant_names AS later
            WHERE
                later.h_restaurant_pk = n.h_restaurant_pk
                AND later.version_dt = n.version_dt
                AND later.topic = n.topic
                AND later.kafka_offset > n.kafka_offset
        )
        -- The later one may be no menu: users and restaurants share one key space.
        AND NOT EXISTS (
            SELECT 1
            FROM dds.s_user_names AS later
            WHERE
                later.h_user_pk = n.h_restaurant_pk
                AND later.version_dt = n.version_dt
                AND later.topic = n.topic
                AND later.kafka_offset > n.kafka_offset
        )
    ORDER BY n.version_dt DESC, r.restaurant_id DESC, n.line_no DESC
    LIMIT 1
) AS menu ON TRUE
LEFT JOIN LATERAL (
    SELECT i.product_name
    FROM dds.s_order_item AS i
    INNER JOIN dds.s_order_version AS v
        ON
            i.order_id = v.order_id
            AND i.version_dt = v.version_dt
            AND i.hk_order_item_hashdiff = v.hk_order_item_hashdiff
    WHERE
        i.h_product_pk = p.h_product_pk
        AND i.product_name IS NOT NULL
        AND menu.name IS NULL
    ORDER BY {{ newest_first("v") | replace("v.version_dt", "i.version_dt") }}, i.line_no DESC
    LIMIT 1
) AS ordered ON TRUE

-- Each dish that a menu of the restaurant has had, with its categories.
WITH newest AS (
    SELECT
        version_dt,
        kafka_offset
    FROM stg.dictionary_entries
    WHERE id = %(id)s
    ORDER BY version_dt DESC, kafka_offset DESC
    LIMIT 1
),

lines AS (
    SELECT DISTINCT ON (p.h_product_pk)
        p.h_product_pk,
        c.version_dt,
        c.kafka_offset,
        c.line_no
    FROM dds.h_restaurant AS r
    INNER JOIN dds.l_product_restaurant AS p ON r.h_restaurant_pk = p.h_restaurant_pk
    INNER JOIN dds.s_product_category AS c
        ON
            p.h_product_pk = c.h_product_pk
            AND p.h_restaurant_pk = c.h_restaurant_pk
    WHERE r.restaurant_id = %(id)s
    ORDER BY p.h_product_pk, c.version_dt DESC, c.kafka_offset DESC, c.line_no DESC
)

SELECT
    n.product_id,
    n.product_name,
    newest.kafka_offset IS NOT NULL AS is_on_menu,
    m.price,
    category.category_name,
    nullif(s.from_dt, '-infinity') AS from_dt,
    nullif(s.until_dt, 'infinity') AS until_dt
FROM lines AS l
INNER JOIN dds.v_product_name AS n ON l.h_product_pk = n.h_product_pk
LEFT JOIN newest
    ON l.version_dt = newest.version_dt AND l.kafka_offset = newest.kafka_offset
LEFT JOIN dds.s_menu_price AS m
    ON
        m.topic = %(feed)s
        AND m.epoch = 0
        AND m.kafka_partition = 0
        AND l.kafka_offset = m.kafka_offset
        AND l.line_no = m.line_no
LEFT JOIN dds.v_product_category AS s ON l.h_product_pk = s.h_product_pk
LEFT JOIN dds.h_category AS category ON s.h_category_pk = category.h_category_pk
ORDER BY is_on_menu DESC, n.product_name, n.product_id, s.from_dt

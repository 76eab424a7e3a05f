-- The whole counters of each of these guests (contract, section 4).
SELECT
    u.user_id AS key,
    jsonb_build_object(
        'user_id', g.user_id,
        'categories', coalesce(
            (
                SELECT
                    jsonb_object_agg(
                        c.category_id,
                        jsonb_build_object(
                            'category_name', c.category_name,
                            'order_cnt', c.order_cnt
                        )
                    )
                FROM cdm.user_category_counters AS c
                WHERE c.user_id = g.user_id
            ),
            '{}'::jsonb
        ),
        'products', coalesce(
            (
                SELECT
                    jsonb_object_agg(
                        p.product_id,
                        jsonb_build_object(
                            'product_name', p.product_name,
                            'order_cnt', p.order_cnt
                        )
                    )
                FROM cdm.user_product_counters AS p
                WHERE p.user_id = g.user_id
            ),
            '{}'::jsonb
        )
    )::text AS value
FROM due_guests AS g
INNER JOIN dds.h_user AS u ON g.user_id = u.h_user_pk
ORDER BY u.user_id

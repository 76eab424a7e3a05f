-- Show the last orders of a guest, by their newest versions.
SELECT
    o.order_id,
    o.order_dt,
    o.restaurant_id,
    r.restaurant_name,
    o.status,
    o.cost,
    o.payment,
    coalesce(l.lines, '[]') AS lines,
    v.versions
FROM (
    SELECT o.*
    FROM dds.v_order AS o
    WHERE
        o.order_id IN (
            SELECT s.order_id
            FROM dds.s_order_version AS s
            WHERE s.h_user_pk = %(user_id)s
        )
        AND o.user_id = (
            SELECT u.user_id
            FROM dds.h_user AS u
            WHERE u.h_user_pk = %(user_id)s
        )
    ORDER BY o.order_dt DESC, o.order_id DESC
    LIMIT %(limit)s
) AS o
LEFT JOIN dds.v_restaurant_name AS r ON o.restaurant_id = r.restaurant_id
CROSS JOIN LATERAL (
    SELECT count(*) AS versions
    FROM dds.s_order_version AS s
    WHERE s.order_id = o.order_id
) AS v
LEFT JOIN LATERAL (
    SELECT
        jsonb_agg(
            jsonb_build_object(
                'line_no', i.line_no,
                'product_id', i.product_id,
                'product_name', i.product_name,
                'quantity', i.quantity,
                'price', i.price
            )
            ORDER BY i.line_no
        ) AS lines
    FROM dds.v_order_item AS i
    WHERE i.order_id = o.order_id
) AS l ON TRUE
ORDER BY o.order_dt DESC, o.order_id DESC

-- Record what they wait for now, one row per guest, restaurant or dish.
INSERT INTO ops.order_waits (order_id, missing_key)
SELECT
    l.order_id,
    l.h_product_pk AS missing_key
FROM due_lines AS l
WHERE l.is_unknown
UNION
SELECT
    o.order_id,
    n.key AS missing_key
FROM due_orders AS o
INNER JOIN due_names AS n
    ON n.key = CASE WHEN n.is_guest THEN o.h_user_pk ELSE o.h_restaurant_pk END
WHERE n.name IS NULL

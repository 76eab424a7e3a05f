-- The dishes whose name this batch may change: those of a new menu, those that are
-- counted for the first time, and ordered dishes that are on no menu.
SELECT h_product_pk
FROM batch_menu_products
UNION
SELECT d.product_id AS h_product_pk
FROM (
    SELECT DISTINCT product_id
    FROM deltas
) AS d
WHERE
    NOT EXISTS (
        SELECT 1
        FROM {{ cdm }}.user_product_counters_names AS n
        WHERE n.product_id = d.product_id
    )
UNION
SELECT i.h_product_pk
FROM batch_orders AS o
INNER JOIN {{ dds }}.s_order_item AS i ON o.order_id = i.order_id
INNER JOIN {{ cdm }}.user_product_counters_names AS n ON i.h_product_pk = n.product_id
WHERE
    NOT n.is_from_menu
    AND EXISTS (  -- mostly none, so the orders are not read
        SELECT 1
        FROM {{ cdm }}.user_product_counters_names AS u
        WHERE NOT u.is_from_menu
    )

-- The dishes whose name this batch may change: those of a menu that came, and those in
-- orders that no menu names.
SELECT h_product_pk
FROM batch_menu_products
UNION
SELECT i.h_product_pk
FROM batch_orders AS o
INNER JOIN dds.s_order_item AS i ON o.order_id = i.order_id
LEFT JOIN cdm.user_product_counters_names AS n ON i.h_product_pk = n.product_id
WHERE n.is_from_menu IS NOT TRUE

-- The dishes of this range's orders and menus.
{#- makes: affected_products #}
CREATE TEMP TABLE affected_products ON COMMIT DROP AS
SELECT h_product_pk
FROM batch_menu_products
UNION
SELECT i.h_product_pk
FROM batch_orders AS o
INNER JOIN {{ dds }}.s_order_item AS i ON o.order_id = i.order_id

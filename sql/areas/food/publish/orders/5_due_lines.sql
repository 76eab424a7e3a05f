-- The lines of these orders: the category is the line's own, else that of the menus.
{#- makes: due_lines #}
CREATE TEMP TABLE due_lines ON COMMIT DROP AS
SELECT
    o.order_id,
    i.line_no,
    i.h_product_pk,
    p.product_id,
    p.product_name,
    coalesce(own.category_name, p.category_name) AS category_name,
    i.quantity,
    i.price,
    i.h_category_pk IS NULL AND p.from_dt IS NULL AS is_unknown
FROM due_orders AS o
INNER JOIN dds.s_order_item AS i
    ON
        o.order_id = i.order_id
        AND o.version_dt = i.version_dt
        AND o.hk_order_item_hashdiff = i.hk_order_item_hashdiff
INNER JOIN due_products AS p
    ON
        i.h_product_pk = p.h_product_pk
        AND (
            p.from_dt IS NULL OR (o.order_dt >= p.from_dt AND o.order_dt < p.until_dt)
        )
LEFT JOIN dds.h_category AS own ON i.h_category_pk = own.h_category_pk

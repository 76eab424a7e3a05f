-- The dishes of these orders, with their current names and their categories over time.
{#- makes: due_products #}
CREATE TEMP TABLE due_products ON COMMIT DROP AS
SELECT
    n.h_product_pk,
    n.product_id,
    n.product_name,
    s.from_dt,
    s.until_dt,
    c.category_name
FROM dds.v_product_name AS n
LEFT JOIN dds.v_product_category AS s ON n.h_product_pk = s.h_product_pk
LEFT JOIN dds.h_category AS c ON s.h_category_pk = c.h_category_pk
WHERE
    n.h_product_pk IN (
        SELECT i.h_product_pk
        FROM due_orders AS o
        INNER JOIN dds.s_order_item AS i
            ON
                o.order_id = i.order_id
                AND o.version_dt = i.version_dt
                AND o.hk_order_item_hashdiff = i.hk_order_item_hashdiff
    )

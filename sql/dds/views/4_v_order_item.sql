-- The dishes of each order's newest version, one row per line of the message.
CREATE OR REPLACE VIEW dds.v_order_item AS
SELECT
    o.h_order_pk,
    o.order_id,
    n.product_id,
    n.product_name,
    c.category_name,
    i.quantity,
    i.price,
    i.line_no
FROM dds.v_order AS o
INNER JOIN dds.s_order_item AS i
    ON
        o.order_id = i.order_id
        AND o.version_dt = i.version_dt
        AND o.hk_order_item_hashdiff = i.hk_order_item_hashdiff
INNER JOIN dds.v_product_name AS n ON i.h_product_pk = n.h_product_pk
LEFT JOIN dds.v_product_category AS s
    ON
        i.h_product_pk = s.h_product_pk
        AND o.order_dt >= s.from_dt
        AND o.order_dt < s.until_dt
LEFT JOIN dds.h_category AS c
    ON coalesce(i.h_category_pk, s.h_category_pk) = c.h_category_pk

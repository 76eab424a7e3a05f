-- What each order adds: a row per order and dish.
SELECT
    o.order_id,
    o.h_user_pk AS user_id,
    i.h_product_pk AS product_id,
    sum(i.quantity) AS pieces_cnt,
    sum(i.quantity * i.price) AS amount
FROM {{ orders }} AS o
INNER JOIN dds.s_order_item AS i
    ON
        o.order_id = i.order_id
        AND o.version_dt = i.version_dt
        AND o.hk_order_item_hashdiff = i.hk_order_item_hashdiff
GROUP BY o.order_id, o.h_user_pk, i.h_product_pk

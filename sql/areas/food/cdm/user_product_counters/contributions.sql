-- What each order adds: a row per order and dish.
SELECT
    o.order_id,
    o.h_user_pk AS user_id,
    i.h_product_pk AS product_id,
    sum(i.quantity) AS pieces_cnt,
    sum(i.quantity * i.price) AS amount
FROM {{ orders }} AS o
CROSS JOIN LATERAL (
    SELECT
        l.h_product_pk,
        l.quantity,
        l.price
    FROM {{ dds }}.s_order_item AS l
    WHERE
        l.order_id = o.order_id
        AND l.version_dt = o.version_dt
        AND l.hk_order_item_hashdiff = o.hk_order_item_hashdiff
    OFFSET 0  -- one look-up per order, whatever the statistics say
) AS i
GROUP BY o.order_id, o.h_user_pk, i.h_product_pk

-- What each order adds: a row per order and category.
SELECT
    o.order_id,
    o.h_user_pk AS user_id,
    coalesce(i.h_category_pk, s.category_id) AS category_id,
    sum(i.quantity) AS pieces_cnt,
    sum(i.quantity * i.price) AS amount
FROM {{ orders }} AS o
INNER JOIN dds.s_order_item AS i
    ON
        o.order_id = i.order_id
        AND o.version_dt = i.version_dt
        AND o.hk_order_item_hashdiff = i.hk_order_item_hashdiff
LEFT JOIN {{ reference }} AS s
    ON
        i.h_product_pk = s.product_id
        AND o.order_dt >= s.from_dt
        AND o.order_dt < s.until_dt
WHERE coalesce(i.h_category_pk, s.category_id) IS NOT NULL
GROUP BY o.order_id, o.h_user_pk, coalesce(i.h_category_pk, s.category_id)

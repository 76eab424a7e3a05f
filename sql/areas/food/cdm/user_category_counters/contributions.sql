-- What each order adds: a row per order and category.
SELECT
    o.order_id,
    o.h_user_pk AS user_id,
    coalesce(i.h_category_pk, s.category_id) AS category_id,
    sum(i.quantity) AS pieces_cnt,
    sum(i.quantity * i.price) AS amount
FROM {{ orders }} AS o
CROSS JOIN LATERAL (
    SELECT
        l.h_product_pk,
        l.h_category_pk,
        l.quantity,
        l.price
    FROM {{ dds }}.s_order_item AS l
    WHERE
        l.order_id = o.order_id
        AND l.version_dt = o.version_dt
        AND l.hk_order_item_hashdiff = o.hk_order_item_hashdiff
    OFFSET 0  -- one look-up per order, whatever the statistics say
) AS i
LEFT JOIN {{ reference }} AS s
    ON
        i.h_product_pk = s.product_id
        AND o.order_dt >= s.from_dt
        AND o.order_dt < s.until_dt
WHERE coalesce(i.h_category_pk, s.category_id) IS NOT NULL
GROUP BY o.order_id, o.h_user_pk, coalesce(i.h_category_pk, s.category_id)

-- Show what a guest has had of each dish, the most first.
SELECT
    h.product_id AS own_id,
    m.product_name AS name,
    m.order_cnt,
    m.pieces_cnt,
    m.amount
FROM cdm.user_product_counters AS m
INNER JOIN dds.h_product AS h ON m.product_id = h.h_product_pk
WHERE m.user_id = %(user_id)s
ORDER BY m.order_cnt DESC, h.product_id
LIMIT %(limit)s

-- Show what a guest has had of each category, the most first.
SELECT
    m.category_name AS own_id,
    m.category_name AS name,
    m.order_cnt,
    m.pieces_cnt,
    m.amount
FROM cdm.user_category_counters AS m
WHERE m.user_id = %(user_id)s
ORDER BY m.order_cnt DESC, m.category_name
LIMIT %(limit)s

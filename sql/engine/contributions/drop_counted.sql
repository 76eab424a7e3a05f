-- Delete the orders that no longer count.
DELETE FROM {{ cdm }}.{{ mart }}_counted AS c
USING old_orders AS o
WHERE
    c.order_id = o.order_id
    AND NOT EXISTS (
        SELECT 1
        FROM new_orders AS n
        WHERE n.order_id = o.order_id
    )

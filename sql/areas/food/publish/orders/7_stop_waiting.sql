-- Delete what these orders have waited for.
DELETE FROM ops.order_waits AS w
USING touched_orders AS t
WHERE w.order_id = t.order_id

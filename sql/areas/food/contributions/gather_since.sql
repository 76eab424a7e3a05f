-- Add the orders of these guests that came since they were gathered.
INSERT INTO chunk_orders (chunk, order_id)
SELECT
    c.chunk,
    v.order_id
FROM batch_orders AS o
INNER JOIN {{ dds }}.s_order_version AS v ON o.order_id = v.order_id
INNER JOIN guest_chunks AS c ON v.h_user_pk = c.h_user_pk
WHERE c.chunk >= %(chunk)s

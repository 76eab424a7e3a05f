-- Sort the orders by chunk.
{#- keeps: chunk_orders #}
CREATE TEMP TABLE chunk_orders AS
SELECT
    c.chunk,
    o.order_id
FROM planned_orders AS o
INNER JOIN guest_chunks AS c ON o.h_user_pk = c.h_user_pk
ORDER BY
    c.chunk,
    o.order_id

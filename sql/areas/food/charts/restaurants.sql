-- What each restaurant has sold.
WITH items AS (
    SELECT
        order_id,
        sum(quantity) AS pieces_cnt,
        sum(quantity * price) AS amount
    FROM dds.v_order_item
    GROUP BY order_id
),

sums AS (
    SELECT
        i.restaurant_id AS id,
        max(n.restaurant_name) AS name,
        NULL::bigint AS guests,
        count(*) AS orders,
        coalesce(sum(s.pieces_cnt), 0)::bigint AS pieces,
        coalesce(sum(s.amount), 0) AS amount
    FROM dds.v_order AS i
    INNER JOIN dds.v_restaurant_name AS n ON i.restaurant_id = n.restaurant_id
    LEFT JOIN items AS s ON i.order_id = s.order_id
    WHERE
        i.status = 'CLOSED'
        AND (%(first)s::date IS NULL OR i.order_dt >= %(first)s::date)
        AND (%(last)s::date IS NULL OR i.order_dt < %(last)s::date + 1)
        AND (%(restaurant)s::text IS NULL OR i.restaurant_id = %(restaurant)s)
    GROUP BY i.restaurant_id
)

SELECT
    count(*) OVER () AS number,
    id,
    name,
    guests,
    NULL::float8 AS guests_share,
    orders,
    orders::float8 / sum(orders) OVER () AS orders_share,
    pieces,
    amount
FROM sums
ORDER BY orders DESC, name, id
LIMIT %(most)s

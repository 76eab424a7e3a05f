-- How many guests have had each dish, and in how many orders.
WITH sums AS (
    SELECT
        i.product_id AS id,
        max(i.product_name) AS name,
        CASE WHEN %(is_all)s THEN count(DISTINCT i.user_id) END AS guests,
        count(DISTINCT i.order_id) AS orders,
        sum(i.quantity)::bigint AS pieces,
        sum(i.quantity * i.price) AS amount
    FROM dds.v_order_item AS i
    WHERE
        i.status = 'CLOSED'
        AND (%(first)s::date IS NULL OR i.order_dt >= %(first)s::date)
        AND (%(last)s::date IS NULL OR i.order_dt < %(last)s::date + 1)
        AND (%(restaurant)s::text IS NULL OR i.restaurant_id = %(restaurant)s)
    GROUP BY i.product_id
)

SELECT
    count(*) OVER () AS number,
    id,
    name,
    guests,
    guests::float8 / sum(guests) OVER () AS guests_share,
    orders,
    orders::float8 / sum(orders) OVER () AS orders_share,
    pieces,
    amount
FROM sums
ORDER BY
    CASE WHEN %(is_by_guests)s THEN guests END DESC,
    orders DESC,
    name,
    id
LIMIT %(most)s

-- Orders and money of each day, and how many guests had their first order on it.
WITH items AS (
    SELECT
        order_id,
        sum(quantity) AS pieces_cnt,
        sum(quantity * price) AS amount
    FROM dds.v_order_item
    GROUP BY order_id
),

closed AS (
    SELECT
        i.order_id,
        i.order_dt,
        i.user_id,
        i.restaurant_id,
        min(i.order_dt::date) OVER (PARTITION BY i.user_id) AS first_day
    FROM dds.v_order AS i
    WHERE i.status = 'CLOSED'
)

SELECT
    i.order_dt::date AS day,
    count(*) AS orders,
    coalesce(sum(s.pieces_cnt), 0)::bigint AS pieces,
    coalesce(sum(s.amount), 0) AS amount,
    CASE WHEN %(restaurant)s::text IS NULL THEN count(DISTINCT i.user_id) END AS guests,
    CASE
        WHEN %(restaurant)s::text IS NULL
            THEN count(DISTINCT i.user_id) FILTER (WHERE i.first_day = i.order_dt::date)
    END AS new_guests,
    CASE
        WHEN %(restaurant)s::text IS NULL
            THEN count(DISTINCT i.user_id) FILTER (WHERE i.first_day < i.order_dt::date)
    END AS returning_guests
FROM closed AS i
LEFT JOIN items AS s ON i.order_id = s.order_id
WHERE
    (%(first)s::date IS NULL OR i.order_dt >= %(first)s::date)
    AND (%(last)s::date IS NULL OR i.order_dt < %(last)s::date + 1)
    AND (%(restaurant)s::text IS NULL OR i.restaurant_id = %(restaurant)s)
GROUP BY i.order_dt::date
ORDER BY i.order_dt::date

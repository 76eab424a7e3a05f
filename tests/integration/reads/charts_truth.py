"""What charts must show, from the views of the vault: slow, and plain."""

CATEGORIES = """
WITH sums AS (
    SELECT
        i.category_name AS id,
        i.category_name AS name,
        CASE WHEN %(is_all)s THEN count(DISTINCT i.user_id) END AS guests,
        count(DISTINCT i.order_id) AS orders,
        sum(i.quantity)::bigint AS pieces,
        sum(i.quantity * i.price) AS amount
    FROM dds.v_order_item AS i
    WHERE
        i.status = 'CLOSED'
        AND i.category_name IS NOT NULL
        AND (%(first)s::date IS NULL OR i.order_dt >= %(first)s::date)
        AND (%(last)s::date IS NULL OR i.order_dt < %(last)s::date + 1)
        AND (%(restaurant)s::text IS NULL OR i.restaurant_id = %(restaurant)s)
    GROUP BY i.category_name
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
"""
DISHES = """
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
"""
RESTAURANTS = """
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
"""
DAYS = """
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
"""

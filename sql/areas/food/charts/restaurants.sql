-- What each restaurant has sold.
WITH sums AS (
    SELECT
        r.h_restaurant_pk,
        sum(d.order_cnt)::bigint AS order_cnt,
        sum(d.pieces_cnt)::bigint AS pieces_cnt,
        sum(d.amount) AS amount
    FROM cdm.order_days AS d
    INNER JOIN dds.h_restaurant AS r ON d.restaurant_id = r.h_restaurant_pk
    WHERE
        (%(first)s::date IS NULL OR d.order_date >= %(first)s::date)
        AND (%(last)s::date IS NULL OR d.order_date <= %(last)s::date)
        AND (%(restaurant)s::text IS NULL OR r.restaurant_id = %(restaurant)s)
    GROUP BY r.h_restaurant_pk
)

SELECT
    count(*) OVER () AS number,
    n.restaurant_id AS id,
    n.restaurant_name AS name,
    NULL::bigint AS guests,
    NULL::float8 AS guests_share,
    s.order_cnt AS orders,
    s.order_cnt::float8 / sum(s.order_cnt) OVER () AS orders_share,
    s.pieces_cnt AS pieces,
    s.amount
FROM sums AS s
INNER JOIN dds.v_restaurant_name AS n ON s.h_restaurant_pk = n.h_restaurant_pk
ORDER BY orders DESC, name, id
LIMIT %(most)s

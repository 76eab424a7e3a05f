-- How many guests have had each category, and in how many orders.
WITH sums AS (
    SELECT
        category_id,
        guest_cnt,
        order_cnt,
        pieces_cnt,
        amount
    FROM cdm.category_totals
    WHERE %(is_all)s
    UNION ALL
    SELECT
        d.category_id,
        NULL AS guest_cnt,
        sum(d.order_cnt)::bigint AS order_cnt,
        sum(d.pieces_cnt)::bigint AS pieces_cnt,
        sum(d.amount) AS amount
    FROM cdm.category_days AS d
    INNER JOIN dds.h_restaurant AS r ON d.restaurant_id = r.h_restaurant_pk
    WHERE
        NOT %(is_all)s
        AND (%(first)s::date IS NULL OR d.order_date >= %(first)s::date)
        AND (%(last)s::date IS NULL OR d.order_date <= %(last)s::date)
        AND (%(restaurant)s::text IS NULL OR r.restaurant_id = %(restaurant)s)
    GROUP BY d.category_id
)

SELECT
    count(*) OVER () AS number,
    h.category_name AS id,
    h.category_name AS name,
    s.guest_cnt AS guests,
    s.guest_cnt::float8 / sum(s.guest_cnt) OVER () AS guests_share,
    s.order_cnt AS orders,
    s.order_cnt::float8 / sum(s.order_cnt) OVER () AS orders_share,
    s.pieces_cnt AS pieces,
    s.amount
FROM sums AS s
INNER JOIN dds.h_category AS h ON s.category_id = h.h_category_pk
ORDER BY
    CASE WHEN %(is_by_guests)s THEN s.guest_cnt END DESC,
    s.order_cnt DESC,
    name,
    id
LIMIT %(most)s

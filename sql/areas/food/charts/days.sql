-- Orders and money of each day, and how many guests had their first order on it.
SELECT
    s.order_date,
    s.order_cnt,
    s.pieces_cnt,
    s.amount,
    -- The other mart may not have taken this day's orders yet.
    CASE WHEN %(restaurant)s::text IS NULL THEN coalesce(g.guest_cnt, 0) END AS guests,
    CASE
        WHEN %(restaurant)s::text IS NULL THEN coalesce(g.new_guest_cnt, 0)
    END AS new_guests,
    CASE
        WHEN %(restaurant)s::text IS NULL
            THEN coalesce(g.guest_cnt - g.new_guest_cnt, 0)
    END AS returning_guests
FROM (
    SELECT
        d.order_date,
        sum(d.order_cnt)::bigint AS order_cnt,
        sum(d.pieces_cnt)::bigint AS pieces_cnt,
        sum(d.amount) AS amount
    FROM cdm.order_days AS d
    INNER JOIN dds.h_restaurant AS r ON d.restaurant_id = r.h_restaurant_pk
    WHERE
        (%(first)s::date IS NULL OR d.order_date >= %(first)s::date)
        AND (%(last)s::date IS NULL OR d.order_date <= %(last)s::date)
        AND (%(restaurant)s::text IS NULL OR r.restaurant_id = %(restaurant)s)
    GROUP BY d.order_date
) AS s
LEFT JOIN cdm.guest_days AS g ON s.order_date = g.order_date
ORDER BY s.order_date

-- Orders and money of each day, and how many guests had their first order on it.
{%- from "areas/food/charts/parts/sums.sql" import over_days %}
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
    {{ over_days("d.order_date", "order_days") | indent }}
) AS s
LEFT JOIN cdm.guest_days AS g ON s.order_date = g.order_date
ORDER BY s.order_date

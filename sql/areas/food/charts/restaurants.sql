-- What each restaurant has sold.
{%- from "areas/food/charts/parts/sums.sql" import over_days, shares %}
{{ shares("n.restaurant_id", "n.restaurant_name") }}
FROM (
    SELECT
        c.*,
        NULL::bigint AS guest_cnt
    FROM (
        {{ over_days("r.h_restaurant_pk", "order_days") | indent(8) }}
    ) AS c
) AS s
INNER JOIN dds.v_restaurant_name AS n ON s.h_restaurant_pk = n.h_restaurant_pk
ORDER BY orders DESC, name, id
LIMIT %(most)s

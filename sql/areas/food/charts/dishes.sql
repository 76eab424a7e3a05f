-- How many guests have had each dish, and in how many orders.
{%- from "areas/food/charts/parts/sums.sql" import all_or_chosen, shares %}
{{ shares("h.product_id", "n.product_name") }}
FROM (
    {{ all_or_chosen("product_id", "product_totals", "product_days") | indent }}
) AS s
INNER JOIN dds.h_product AS h ON s.product_id = h.h_product_pk
LEFT JOIN cdm.user_product_counters_names AS n ON s.product_id = n.product_id
ORDER BY
    CASE WHEN %(is_by_guests)s THEN s.guest_cnt END DESC,
    s.order_cnt DESC,
    name,
    id
LIMIT %(most)s

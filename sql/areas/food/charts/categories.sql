-- How many guests have had each category, and in how many orders.
{%- from "areas/food/charts/parts/sums.sql" import all_or_chosen, shares %}
{{ shares("h.category_name", "h.category_name") }}
FROM (
    {{ all_or_chosen("category_id", "category_totals", "category_days") | indent }}
) AS s
INNER JOIN dds.h_category AS h ON s.category_id = h.h_category_pk
ORDER BY
    CASE WHEN %(is_by_guests)s THEN s.guest_cnt END DESC,
    s.order_cnt DESC,
    name,
    id
LIMIT %(most)s

{#- What several charts have in common. -#}
{#- The sums of a total's days that were chosen, one row per key. -#}
{%- macro over_days(key, total) -%}
SELECT
    {{ key }},
    sum(d.order_cnt)::bigint AS order_cnt,
    sum(d.pieces_cnt)::bigint AS pieces_cnt,
    sum(d.amount) AS amount
FROM cdm.{{ total }} AS d
INNER JOIN dds.h_restaurant AS r ON d.restaurant_id = r.h_restaurant_pk
WHERE
    (%(first)s::date IS NULL OR d.order_date >= %(first)s::date)
    AND (%(last)s::date IS NULL OR d.order_date <= %(last)s::date)
    AND (%(restaurant)s::text IS NULL OR r.restaurant_id = %(restaurant)s)
GROUP BY {{ key }}
{%- endmacro %}
{#- How popular the rows s are: id and name of each, and its parts of the whole. -#}
{%- macro shares(id, name) -%}
SELECT
    count(*) OVER () AS number,
    {{ id }} AS id,
    {{ name }} AS name,
    s.guest_cnt AS guests,
    s.guest_cnt::float8 / sum(s.guest_cnt) OVER () AS guests_share,
    s.order_cnt AS orders,
    s.order_cnt::float8 / sum(s.order_cnt) OVER () AS orders_share,
    s.pieces_cnt AS pieces,
    s.amount
{%- endmacro %}
{#- All orders from the totals without days, which know the guests; else from days. -#}
{%- macro all_or_chosen(key, total, days) -%}
SELECT
    {{ key }},
    guest_cnt,
    order_cnt,
    pieces_cnt,
    amount
FROM cdm.{{ total }}
WHERE %(is_all)s
UNION ALL
SELECT
    c.{{ key }},
    NULL AS guest_cnt,
    c.order_cnt,
    c.pieces_cnt,
    c.amount
FROM (
    {{ over_days("d." ~ key, days) | indent }}
) AS c
WHERE NOT %(is_all)s
{%- endmacro %}

-- The mart as it follows from the vault, from the very query that keeps it.
SELECT
    {%- for key in keys %}
    c.{{ key }},
    {%- endfor %}
    {%- if label %}
    l.{{ label.column }},
    {%- endif %}
    c.order_cnt,
    c.pieces_cnt,
    c.amount
    {%- if finds_doubled %},
    c.doubled_order
    {%- endif %}
FROM (
    SELECT
        {{ keys | join(",\n        ") }},
        count(*)::bigint AS order_cnt,
        sum(pieces_cnt)::bigint AS pieces_cnt,
        sum(amount) AS amount
        {%- if finds_doubled %},
        min(order_id) FILTER (WHERE rows_cnt > 1) AS doubled_order
        {%- endif %}
    FROM (
        {{ all_contributions | indent(8) }}
    ) AS counted
    GROUP BY {{ keys | join(", ") }}
) AS c
{%- if label %}
LEFT JOIN (
    {{ label_query | indent }}
) AS l ON c.{{ keys[-1] }} = l.{{ label.key }}
{%- endif %}

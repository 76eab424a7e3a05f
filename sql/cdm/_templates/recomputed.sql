-- The mart as it follows from the vault, from the very query that keeps it.
SELECT
    {%- for key in keys %}
    c.{{ key }},
    {%- endfor %}
    l.{{ label.column }},
    c.order_cnt,
    c.pieces_cnt,
    c.amount
FROM (
    SELECT
        {{ keys | join(",\n        ") }},
        count(*)::bigint AS order_cnt,
        sum(pieces_cnt)::bigint AS pieces_cnt,
        sum(amount) AS amount
    FROM (
        {{ all_contributions | indent(8) }}
    ) AS counted
    GROUP BY {{ keys | join(", ") }}
) AS c
LEFT JOIN (
    {{ label_query | indent }}
) AS l ON c.{{ keys[1] }} = l.{{ label_key }}

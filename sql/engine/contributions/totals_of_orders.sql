SELECT
    {{ ((order_keys | list) + thing_keys) | join(",\n    ") }},
    sum(order_cnt)::bigint AS order_cnt,
    sum(pieces_cnt)::bigint AS pieces_cnt,
    sum(amount) AS amount
{%- if thing_keys %}
FROM {{ sums }}
{%- else %}
FROM (
    SELECT
        {{ order_keys | join(",\n        ") }},
        0 AS order_cnt,
        pieces_cnt,
        amount
    FROM {{ sums }}
    {%- for relation, sign in orders %}
    UNION ALL
    SELECT
        {%- for name, key in order_keys.items() %}
        {{ key.of("o") }} AS {{ name }},
        {%- endfor %}
        {{ sign }} AS order_cnt,
        0 AS pieces_cnt,
        0 AS amount
    FROM {{ relation }} AS o
    {%- endfor %}
) AS added
{%- endif %}
GROUP BY {{ ((order_keys | list) + thing_keys) | join(", ") }}

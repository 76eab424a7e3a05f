{%- macro moved(side, sign) %}
    SELECT
        {%- for name, key in order_keys.items() %}
        {{ key.of("o") }} AS {{ name }},
        {%- endfor %}
        {%- for key in thing_keys %}
        c.{{ key }},
        {%- endfor %}
        {{ sign if thing_keys else 0 }} AS order_cnt,
        c.pieces_cnt,
        c.amount
    FROM {{ side }}_contributions AS c
    INNER JOIN {{ side }}_orders AS o ON c.order_id = o.order_id
    {%- if not thing_keys %}
    UNION ALL
    SELECT
        {%- for name, key in order_keys.items() %}
        {{ key.of("o") }} AS {{ name }},
        {%- endfor %}
        {{ sign }} AS order_cnt,
        0 AS pieces_cnt,
        0 AS amount
    FROM {{ side }}_orders AS o
    {%- endif %}
{%- endmacro -%}
SELECT
    {{ ((order_keys | list) + thing_keys) | join(",\n    ") }},
    sum(order_cnt)::bigint AS order_cnt,
    sum(pieces_cnt)::bigint AS pieces_cnt,
    sum(amount) AS amount
FROM (
    {{- moved("old", -1) }}
    UNION ALL
    {{- moved("new", 1) }}
) AS moved
GROUP BY {{ ((order_keys | list) + thing_keys) | join(", ") }}

{%- macro moved(side, sign) %}
    SELECT
        {%- for name, key in order_keys.items() %}
        {{ key.of("o") }} AS {{ name }},
        {%- endfor %}
        {%- for key in things %}
        c.{{ key }},
        {%- endfor %}
        {{ sign }} AS order_cnt,
        c.pieces_cnt,
        c.amount
    FROM {{ side }}_contributions AS c
    INNER JOIN {{ side }}_orders AS o ON c.order_id = o.order_id
{%- endmacro -%}
-- What the batch's orders add now, less what they had added, by the keys of totals.
{#- makes: moved_sums #}
CREATE TEMP TABLE moved_sums ON COMMIT DROP AS
SELECT
    {{ ((order_keys | list) + things) | join(",\n    ") }},
    sum(order_cnt)::bigint AS order_cnt,
    sum(pieces_cnt)::bigint AS pieces_cnt,
    sum(amount) AS amount
FROM (
    {{- moved("old", -1) }}
    UNION ALL
    {{- moved("new", 1) }}
) AS moved
GROUP BY {{ ((order_keys | list) + things) | join(", ") }}

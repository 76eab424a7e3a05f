{%- macro same(one, other) -%}
{% for key in keys %}{{ " AND " if not loop.first }}{{ one }}.{{ key }} = {{ other }}.{{ key }}{% endfor %}
{%- endmacro -%}
-- Move the counters, in key order; delete those that fall to 0.
WITH gone AS (
    DELETE FROM {{ cdm }}.{{ mart }} AS m
    USING deltas AS d
    WHERE {{ same("m", "d") }} AND d.was_cnt + d.order_cnt = 0
),

moved AS (
    UPDATE {{ cdm }}.{{ mart }} AS m
    SET
        order_cnt = m.order_cnt + d.order_cnt,
        pieces_cnt = m.pieces_cnt + d.pieces_cnt,
        amount = m.amount + d.amount
    FROM (
        SELECT
            {{ keys | join(",\n            ") }},
            order_cnt,
            pieces_cnt,
            amount
        FROM deltas
        WHERE was_cnt + order_cnt <> 0
        ORDER BY {{ keys | join(", ") }}
    ) AS d
    WHERE {{ same("m", "d") }}
)

INSERT INTO {{ cdm }}.{{ mart }} (
    {{ keys | join(", ") }},
    {{ label.column + ", " if label }}order_cnt, pieces_cnt, amount
)
SELECT
    {%- for key in keys %}
    d.{{ key }},
    {%- endfor %}
    {%- if label %}
    l.{{ label.column }},
    {%- endif %}
    d.order_cnt,
    d.pieces_cnt,
    d.amount
FROM deltas AS d
{%- if label %}
LEFT JOIN {{ label_table }} AS l ON d.{{ keys[-1] }} = l.{{ label.key }}
{%- endif %}
WHERE d.was_cnt IS NULL
ORDER BY d.{{ keys | join(", d.") }}

{%- macro same(one, other) -%}
{% for key in keys %}{{ " AND " if not loop.first }}{{ one }}.{{ key }} = {{ other }}.{{ key }}{% endfor %}
{%- endmacro -%}
-- By how much each counter of these guests is wrong.
{#- makes: deltas #}
CREATE TEMP TABLE deltas ON COMMIT DROP AS
SELECT
    {%- for key in keys %}
    coalesce(s.{{ key }}, m.{{ key }}) AS {{ key }},
    {%- endfor %}
    coalesce(s.order_cnt, 0) - coalesce(m.order_cnt, 0) AS order_cnt,
    coalesce(s.pieces_cnt, 0) - coalesce(m.pieces_cnt, 0) AS pieces_cnt,
    coalesce(s.amount, 0) - coalesce(m.amount, 0) AS amount,
    m.order_cnt AS was_cnt
FROM recounted AS s
FULL JOIN (
    SELECT
        {%- for key in keys %}
        c.{{ key }},
        {%- endfor %}
        c.order_cnt,
        c.pieces_cnt,
        c.amount
    FROM {{ cdm }}.{{ mart }} AS c
    {%- if guest %}
    INNER JOIN touched_guests AS g ON c.{{ guest }} = g.{{ guest_column }}
    {%- else %}
    WHERE EXISTS (SELECT g.{{ guest_column }} FROM touched_guests AS g)
    {%- endif %}
) AS m ON {{ same("s", "m") }}
WHERE
    (s.order_cnt, s.pieces_cnt, s.amount)
    IS DISTINCT FROM (m.order_cnt, m.pieces_cnt, m.amount)

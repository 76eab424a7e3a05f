-- Which guest must hold which tag, each pair once: any condition of a tag is enough.
{%- for kind, mart in marts.items() %}
{%- if not loop.first %}
UNION
{%- endif %}
SELECT
    m.user_id,
    t.tag
FROM {{ conditions }} AS t
{%- if concerned %}
INNER JOIN {{ concerned }} AS c ON t.tag = c.tag
{%- endif %}
INNER JOIN cdm.{{ mart.name }} AS m
    ON
        t.thing_id = m.{{ mart.keys[1] }}
        AND t.threshold <= m.order_cnt
        {%- if concerned %}
        AND c.user_id = m.user_id
        {%- endif %}
{%- if guests %}
INNER JOIN {{ guests }} AS g ON m.user_id = g.user_id
{%- endif %}
WHERE t.kind = '{{ kind }}'
{%- endfor %}

-- Enqueue the guests whom a new or a dropped condition affects, or all of them.
INSERT INTO ops.tags_waiting (user_id, tag)
{%- for kind, mart in marts.items() %}
SELECT
    m.user_id,
    t.tag
FROM ops.tag_conditions AS t
INNER JOIN cdm.{{ mart.name }} AS m
    ON t.thing_id = m.{{ mart.keys[1] }} AND t.threshold <= m.order_cnt
WHERE t.kind = '{{ kind }}' AND (t.state <> 'applied' OR %(everything)s)
UNION
{%- endfor %}
SELECT
    user_id,
    tag
FROM cdm.user_tags
WHERE until_dt IS NULL AND %(everything)s
ORDER BY user_id, tag

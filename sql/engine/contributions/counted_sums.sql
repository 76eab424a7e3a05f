-- What the orders that were counted add, by what totals are kept by.
SELECT
    {%- for name, key in order_keys.items() %}
    {{ key.of("kept") }} AS {{ name }},
    {%- endfor %}
    {%- for key in things %}
    c.{{ key }},
    {%- endfor %}
    count(*)::bigint AS order_cnt,
    sum(c.pieces_cnt)::bigint AS pieces_cnt,
    sum(c.amount) AS amount
FROM (
    {{ counted_contributions | indent }}
) AS c
INNER JOIN {{ cdm }}.{{ mart }}_counted AS kept ON c.order_id = kept.order_id
GROUP BY
    {%- for key in order_keys.values() %}
    {{ key.of("kept") }},
    {%- endfor %}
    c.{{ things | join(", c.") }}

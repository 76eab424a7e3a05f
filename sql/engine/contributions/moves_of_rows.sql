SELECT
    {%- for key in thing_keys %}
    d.{{ key }},
    {%- endfor %}
    -- Rows that come, less those that go.
    count(*) FILTER (WHERE was.order_cnt IS NULL)
    - count(*) FILTER (WHERE was.order_cnt + d.order_cnt = 0) AS guest_cnt,
    sum(d.order_cnt)::bigint AS order_cnt,
    sum(d.pieces_cnt)::bigint AS pieces_cnt,
    sum(d.amount) AS amount
FROM deltas AS d
LEFT JOIN LATERAL (
    SELECT m.order_cnt
    FROM {{ cdm }}.{{ mart }} AS m
    WHERE
        {%- for key in keys %}
        {{ "AND " if not loop.first }}m.{{ key }} = d.{{ key }}
        {%- endfor %}
    OFFSET 0  -- one look-up per row: the planner would sort the whole mart
) AS was ON TRUE
GROUP BY d.{{ thing_keys | join(", d.") }}

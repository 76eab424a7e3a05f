-- Move the counters, in key order; delete those that fall to 0.
MERGE INTO {{ cdm }}.{{ mart }} AS m
USING (
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
    ORDER BY {% for key in keys %}d.{{ key }}{{ ", " if not loop.last }}{% endfor %}
) AS d
    ON {% for key in keys %}{{ " AND " if not loop.first }}m.{{ key }} = d.{{ key }}{% endfor %}
WHEN MATCHED AND m.order_cnt + d.order_cnt = 0 THEN
    DELETE
WHEN MATCHED THEN
    UPDATE SET
        order_cnt = m.order_cnt + d.order_cnt,
        pieces_cnt = m.pieces_cnt + d.pieces_cnt,
        amount = m.amount + d.amount
WHEN NOT MATCHED THEN
    INSERT (
        {{ keys | join(", ") }},
        {{ label.column + ", " if label }}order_cnt, pieces_cnt, amount
    )
    VALUES (
        {%- for key in keys %}
        d.{{ key }},
        {%- endfor %}
        {%- if label %}
        d.{{ label.column }},
        {%- endif %}
        d.order_cnt,
        d.pieces_cnt,
        d.amount
    )

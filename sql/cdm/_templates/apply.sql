-- Move the counters, in key order; one that falls to 0 leaves the table.
MERGE INTO cdm.{{ mart }} AS m
USING (
    SELECT
        {%- for key in keys %}
        d.{{ key }},
        {%- endfor %}
        l.{{ label.column }},
        d.order_cnt,
        d.pieces_cnt,
        d.amount
    FROM deltas AS d
    LEFT JOIN {{ label.table }} AS l ON d.{{ keys[1] }} = l.{{ label.key }}
    ORDER BY {% for key in keys %}d.{{ key }}{{ ", " if not loop.last }}{% endfor %}
) AS d
    ON m.{{ keys[0] }} = d.{{ keys[0] }} AND m.{{ keys[1] }} = d.{{ keys[1] }}
WHEN MATCHED AND m.order_cnt + d.order_cnt = 0 THEN
    DELETE
WHEN MATCHED THEN
    UPDATE SET
        order_cnt = m.order_cnt + d.order_cnt,
        pieces_cnt = m.pieces_cnt + d.pieces_cnt,
        amount = m.amount + d.amount
WHEN NOT MATCHED THEN
    INSERT ({{ keys | join(", ") }}, {{ label.column }}, order_cnt, pieces_cnt, amount)
    VALUES (
        d.{{ keys[0] }},
        d.{{ keys[1] }},
        d.{{ label.column }},
        d.order_cnt,
        d.pieces_cnt,
        d.amount
    )

{%- set columns = totals.columns | list -%}
-- Move these totals by what the batch changes; delete those of nothing.
MERGE INTO {{ cdm }}.{{ totals.table }} AS t
USING (
    SELECT
        {%- for name in (totals.keys | list) + columns %}
        m.{{ name }}{{ "," if not loop.last }}
        {%- endfor %}
    FROM (
        {{ moves | indent(8) }}
    ) AS m
    WHERE
        {%- for name in columns %}
        {{ "OR " if not loop.first }}m.{{ name }} <> 0
        {%- endfor %}
    ORDER BY m.{{ totals.keys | join(", m.") }}
) AS d
    ON {% for key in totals.keys %}{{ " AND " if not loop.first }}t.{{ key }} = d.{{ key }}{% endfor %}
WHEN MATCHED AND t.{{ columns[0] }} + d.{{ columns[0] }} = 0 THEN
    DELETE
WHEN MATCHED THEN
    UPDATE SET
        {%- for name in columns %}
        {{ name }} = t.{{ name }} + d.{{ name }}{{ "," if not loop.last }}
        {%- endfor %}
WHEN NOT MATCHED THEN
    INSERT ({{ ((totals.keys | list) + columns) | join(", ") }})
    VALUES ({% for name in (totals.keys | list) + columns %}d.{{ name }}{{ ", " if not loop.last }}{% endfor %})

-- Insert, change and delete the rows that differ, in key order.
MERGE INTO {{ cdm }}.{{ mart }} AS m
USING (
    SELECT
        what,
        {{ columns | join(",\n        ") }}
    FROM differing
    ORDER BY {{ keys | join(", ") }}
) AS d
    ON {% for key in keys %}{{ " AND " if not loop.first }}m.{{ key }} = d.{{ key }}{% endfor %}
WHEN MATCHED AND d.what = '{{ extra }}' THEN
    DELETE
WHEN MATCHED THEN
    UPDATE SET
        {%- for column in further %}
        {{ column }} = d.{{ column }}{{ "," if changed_at or not loop.last }}
        {%- endfor %}
        {%- if changed_at %}
        {{ changed_at }} = %(load_dt)s
        {%- endif %}
WHEN NOT MATCHED THEN
    INSERT (
        {{ columns | join(",\n        ") }}{{ ",\n        " + changed_at if changed_at }}
    )
    VALUES (
        d.{{ columns | join(",\n        d.") }}{{ ",\n        %(load_dt)s" if changed_at }}
    )

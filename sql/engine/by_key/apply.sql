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
        {{ column }} = d.{{ column }}{{ "," if not loop.last }}
        {%- endfor %}
WHEN NOT MATCHED THEN
    INSERT (
        {{ columns | join(",\n        ") }}
    )
    VALUES (
        d.{{ columns | join(",\n        d.") }}
    )

-- Correct the names of these guests' rows.
UPDATE {{ cdm }}.{{ mart }} AS m
SET {{ label.column }} = s.{{ label.column }}
FROM recounted AS s
WHERE
    {%- for key in keys %}
    {{ "AND " if not loop.first }}m.{{ key }} = s.{{ key }}
    {%- endfor %}
    AND m.{{ label.column }} IS DISTINCT FROM s.{{ label.column }}

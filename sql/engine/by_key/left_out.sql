NOT EXISTS (
    SELECT 1
    FROM touched_keys AS t
    WHERE
        {%- for key in keys %}
        {{ "AND " if not loop.first }}t.{{ key }} = f.{{ key }}
        {%- endfor %}
)

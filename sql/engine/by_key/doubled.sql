SELECT
    '{{ doubled }}' AS what,
    s.{{ columns | join(",\n    s.") }}
FROM should AS s
INNER JOIN (
    SELECT
    {%- if keys | length == 1 %} d.{{ keys[0] }}
    {%- else %}
        d.{{ keys | join(",\n        d.") }}
    {%- endif %}
    FROM should AS d
    GROUP BY d.{{ keys | join(", d.") }}
    HAVING count(*) > 1
) AS twice
    ON
        {%- for key in keys %}
        {{ "AND " if not loop.first }}s.{{ key }} = twice.{{ key }}
        {%- endfor %}

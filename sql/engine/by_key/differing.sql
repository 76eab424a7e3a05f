-- Find the rows of these keys that are not what they should be.
{#- makes: differing #}
CREATE TEMP TABLE differing ON COMMIT DROP AS
SELECT
    CASE
        WHEN c.{{ keys[0] }} IS NULL THEN '{{ extra }}'
        WHEN m.{{ keys[0] }} IS NULL THEN '{{ missing }}'
        ELSE '{{ other }}'
    END AS what,
    t.{{ keys | join(",\n    t.") }},
    c.{{ further | join(",\n    c.") }}
FROM touched_keys AS t
LEFT JOIN computed AS c
    ON
        {%- for key in keys %}
        {{ "AND " if not loop.first }}t.{{ key }} = c.{{ key }}
        {%- endfor %}
LEFT JOIN {{ cdm }}.{{ mart }} AS m
    ON
        {%- for key in keys %}
        {{ "AND " if not loop.first }}t.{{ key }} = m.{{ key }}
        {%- endfor %}
WHERE
    (
        c.{{ columns | join(",\n        c.") }}
    )
    IS DISTINCT FROM (
        m.{{ columns | join(",\n        m.") }}
    )

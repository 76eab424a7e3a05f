-- The rows of the mart that these keys have.
SELECT
    m.{{ columns | join(",\n    m.") }}
FROM (
    {{ keys | indent }}
) AS k
CROSS JOIN LATERAL (
    SELECT
        r.{{ columns | join(",\n        r.") }}
    FROM {{ cdm }}.{{ mart }} AS r
    WHERE
        {%- for key in key_types %}
        {{ "AND " if not loop.first }}r.{{ key }} = k.{{ key }}
        {%- endfor %}
    OFFSET 0  -- one look-up per key, whatever the statistics say
) AS m

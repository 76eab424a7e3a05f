-- The mart as it follows from the vault, from the very query that keeps it.
SELECT
    {%- for column, type in types.items() %}
    r.{{ column }}::{{ type }} AS {{ column }}{{ "," if not loop.last }}
    {%- endfor %}
FROM (
    {{ rows | indent }}
) AS r

{%- macro all_of(alias, columns, indent) -%}
{%- if columns | length == 1 %} {{ alias }}.{{ columns[0] }}
{%- else %}
{%- for column in columns %}
{{ indent }}{{ alias }}.{{ column }}{{ "," if not loop.last }}
{%- endfor %}
{%- endif %}
{%- endmacro -%}
-- The rows of {{ table }} that differ from what the messages of the batch say.
{% include "engine/vault/" + template + "_records.sql" %}

SELECT{{ all_of("s", primary_key, "    ") }}
FROM unique_source_records AS s
CROSS JOIN LATERAL (
    SELECT{{ all_of("t", compared, "        ") }}
    FROM {{ dds }}.{{ table }} AS t
    WHERE
        {%- for column in primary_key %}
        {{ "AND " if not loop.first }}t.{{ column }} = s.{{ column }}
        {%- endfor %}
    OFFSET 0  -- one look-up per row, whatever the statistics say
) AS t
WHERE
    (
        s.{{ compared | join(",\n        s.") }}
    )
    IS DISTINCT FROM (
        t.{{ compared | join(",\n        t.") }}
    )
ORDER BY s.{{ primary_key | join(", s.") }}

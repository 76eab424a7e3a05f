FROM unique_source_records AS s
{%- if carried %}
{#- Half the cost of ON CONFLICT. A key that another session adds meanwhile fails the
batch, which is then loaded again (vault.py). #}
WHERE
    s.{{ carried[0] }} NOT IN (
        SELECT k.{{ carried[0] }}
        FROM known_{{ clustered_by }} AS k
    )
    OR NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.{{ table }} AS t
        WHERE
            {%- for column in primary_key %}
            {{ "AND " if not loop.first }}t.{{ column }} = s.{{ column }}
            {%- endfor %}
        OFFSET 0
    )
{%- endif %}
ORDER BY s.{{ primary_key | join(", s.") }}  -- one key order everywhere: no deadlocks
{%- if not carried %}
ON CONFLICT ({{ primary_key | join(", ") }}) DO NOTHING
{%- endif %}

-- Every key that dds.{{ table }} names is in its hub.
{#- #fail #}
{%- for hub in hubs %}
SELECT
    t.{{ key }},
    '{{ hub.table }}' AS missing_in,
    t.{{ hub.key }} AS missing_key
FROM {{ dds }}.{{ table }} AS t
WHERE
    NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.{{ hub.table }} AS h
        WHERE
            {%- for column in hub.columns %}
            {{ "AND " if not loop.first }}h.{{ column }} = t.{{ column }}
            {%- endfor %}
    )
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}

-- Every row of dds.{{ table }} is about something that {{ parent.table }} has.
{#- #fail #}
SELECT
    {%- for column in parent.columns %}
    t.{{ column }},
    {%- endfor %}
    '{{ parent.table }}' AS missing_in,
    count(*) AS row_cnt,
    min(t.load_src) AS load_src
FROM {{ dds }}.{{ table }} AS t
WHERE
    NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.{{ parent.table }} AS p
        WHERE
            {%- for column in parent.columns %}
            {{ "AND " if not loop.first }}p.{{ column }} = t.{{ column }}
            {%- endfor %}
    )
GROUP BY t.{{ parent.columns | join(", t.") }}

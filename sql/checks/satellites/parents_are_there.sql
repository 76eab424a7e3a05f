-- Every row of {{ schema }}.{{ table }} is about something that {{ parent.table }} has.
{#- #fail #}
SELECT
    {%- for column in parent.columns %}
    t.{{ column }},
    {%- endfor %}
    '{{ parent.table }}' AS missing_in,
    count(*) AS row_cnt,
    min(t.load_src) AS load_src
FROM {{ schema }}.{{ table }} AS t
WHERE
    NOT EXISTS (
        SELECT 1
        FROM {{ schema }}.{{ parent.table }} AS p
        WHERE
            {%- for column in parent.columns %}
            {{ "AND " if not loop.first }}p.{{ column }} = t.{{ column }}
            {%- endfor %}
    )
GROUP BY t.{{ parent.columns | join(", t.") }}

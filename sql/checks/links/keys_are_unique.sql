-- Every key of dds.{{ table }} stands in one row, and so does its pair of keys.
{#- #fail #}
SELECT
    t.{{ key }},
    {%- for column in hub_keys %}
    min(t.{{ column }}::text) AS {{ column }},
    {%- endfor %}
    count(*) AS row_cnt
FROM {{ dds }}.{{ table }} AS t
GROUP BY t.{{ key }}
HAVING count(*) > 1 OR t.{{ key }} IS NULL
UNION ALL
SELECT
    min(t.{{ key }}::text)::uuid AS {{ key }},
    {%- for column in hub_keys %}
    t.{{ column }}::text,
    {%- endfor %}
    count(*) AS row_cnt
FROM {{ dds }}.{{ table }} AS t
GROUP BY t.{{ hub_keys | join(", t.") }}
HAVING
    count(*) > 1
    {%- for column in hub_keys %}
    OR t.{{ column }} IS NULL
    {%- endfor %}

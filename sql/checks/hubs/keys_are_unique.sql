-- Every key of dds.{{ table }} stands in one row, and so does what it is made of.
{#- #fail #}
SELECT
    '{{ key }}' AS what,
    t.{{ key }}::text AS value,
    count(*) AS row_cnt
FROM {{ dds }}.{{ table }} AS t
GROUP BY t.{{ key }}
HAVING count(*) > 1 OR t.{{ key }} IS NULL
{%- for column in business_keys %}
UNION ALL
SELECT
    '{{ column }}' AS what,
    t.{{ column }}::text AS value,
    count(*) AS row_cnt
FROM {{ dds }}.{{ table }} AS t
GROUP BY t.{{ column }}
HAVING count(*) > 1 OR t.{{ column }} IS NULL
{%- endfor %}

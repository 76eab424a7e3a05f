-- Every key of dds.{{ table }} stands in one row, and so does what it is made of.
{#- #fail #}
SELECT
    '{{ key }}' AS what,
    t.{{ key }}::text AS value,
    count(*) AS row_cnt
FROM {{ dds }}.{{ table }} AS t
GROUP BY t.{{ key }}
HAVING count(*) > 1 OR t.{{ key }} IS NULL
{%- if business_keys | length == 1 %}
{%- set column = business_keys[0] %}
UNION ALL
SELECT
    '{{ column }}' AS what,
    t.{{ column }}::text AS value,
    count(*) AS row_cnt
FROM {{ dds }}.{{ table }} AS t
GROUP BY t.{{ column }}
HAVING count(*) > 1 OR t.{{ column }} IS NULL
{%- else %}
UNION ALL
SELECT
    '{{ business_keys | join(", ") }}' AS what,
    concat_ws(', ', t.{{ business_keys | join(", t.") }}) AS value,
    count(*) AS row_cnt
FROM {{ dds }}.{{ table }} AS t
GROUP BY t.{{ business_keys | join(", t.") }}
HAVING
    count(*) > 1
    {%- for column in business_keys %}
    OR t.{{ column }} IS NULL
    {%- endfor %}
{%- endif %}

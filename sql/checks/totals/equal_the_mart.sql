-- Every total of cdm.{{ mart }} is the sum of its rows, or of the orders it has counted.
{#- #fail #}
{%- if counted_sums %}
WITH counted_sums AS MATERIALIZED (
    {{ counted_sums | indent }}
)
{% endif %}
{%- for one, now in totals %}
{%- set columns = (one.keys | list) + (one.columns | list) %}
{%- if not loop.first %}
UNION ALL
{%- endif %}
SELECT
    'should be' AS what,
    '{{ one.table }}' AS totals,
    to_jsonb(missing)::text AS sums
FROM (
    SELECT
        {{ columns | join(",\n        ") }}
    FROM (
        {{ now | indent(8) }}
    ) AS should
    EXCEPT
    SELECT
        {{ columns | join(",\n        ") }}
    FROM cdm.{{ one.table }}
) AS missing
UNION ALL
SELECT
    'is' AS what,
    '{{ one.table }}' AS totals,
    to_jsonb(wrong)::text AS sums
FROM (
    SELECT
        {{ columns | join(",\n        ") }}
    FROM cdm.{{ one.table }}
    EXCEPT
    SELECT
        {{ columns | join(",\n        ") }}
    FROM (
        {{ now | indent(8) }}
    ) AS should
) AS wrong
{%- endfor %}
ORDER BY totals, sums, what

-- Every total of cdm.{{ mart }} is the sum of its rows, or of the orders it has counted.
{#- #fail #}
{%- macro only_in(these, those, totals, what) -%}
SELECT
    '{{ what }}' AS what,
    '{{ totals }}' AS totals,
    to_jsonb(only_here)::text AS sums
FROM (
    {{ these | indent }}
    EXCEPT
    {{ those | indent }}
) AS only_here
{%- endmacro %}
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
{%- set kept %}SELECT
    {{ columns | join(",\n    ") }}
FROM cdm.{{ one.table }}
{%- endset %}
{%- set should %}SELECT
    {{ columns | join(",\n    ") }}
FROM (
    {{ now | indent }}
) AS should
{%- endset %}
{{ only_in(should, kept, one.table, "should be") }}
UNION ALL
{{ only_in(kept, should, one.table, "is") }}
{%- endfor %}
ORDER BY totals, sums, what

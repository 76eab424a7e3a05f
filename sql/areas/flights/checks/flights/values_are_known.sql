-- Every row that lives has the values that its newest version has left out.
{#- #warn #}
{%- from "areas/flights/dds/parts/tables.sql" import aircraft, airport, seat, ticket, flight, ticket_flight, boarding_pass %}
{%- for one in [aircraft, airport, seat, ticket, flight, ticket_flight, boarding_pass] %}
SELECT
    '{{ one.table }}' AS what,
    n.{{ one.key }} AS hub_key
FROM {{ dds }}.{{ one.now }} AS n
WHERE
    n.unavailable <> '{}'
    AND (
        {%- for column, origin in one.columns.items() if origin %}
        {{ "OR " if not loop.first }}('{{ origin }}' = any(n.unavailable) AND n.{{ column }} IS NULL)
        {%- endfor %}
    )
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}

-- Every row that lives has the values that its newest version has left out.
{#- #warn #}
{%- set tables = {
    "aircraft": ["h_aircraft_pk", ["model"]],
    "airport": ["h_airport_pk", ["airport_name", "city", "timezone"]],
    "ticket": ["h_ticket_pk", ["passenger_id", "passenger_name"]],
} %}
{%- for noun, (key, columns) in tables.items() %}
SELECT
    '{{ noun }}' AS what,
    n.{{ key }} AS hub_key
FROM {{ dds }}.v_{{ noun }}_now AS n
WHERE
    (n.{{ columns | join(" IS NULL OR n.") }} IS NULL)
    AND EXISTS (
        SELECT 1
        FROM {{ dds }}.s_{{ noun }} AS s
        WHERE s.{{ key }} = n.{{ key }} AND s.unavailable <> '{}'
    )
{%- if not loop.last %}
UNION ALL
{%- endif %}
{%- endfor %}

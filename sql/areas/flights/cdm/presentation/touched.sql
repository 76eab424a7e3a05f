-- The passengers of the tickets that this batch's changes concern, in any of their
-- versions; those at home where an airport has changed; all, where a table was emptied.
{#- A name too large for its row may stand under an older key of the row alone. #}
{%- macro renamed(found, hub, satellite, key, name) -%}
SELECT h.{{ key }}
FROM {{ found }} AS o
CROSS JOIN LATERAL (
    SELECT s.renamed_to ->> '{{ name }}' AS {{ name }}
    FROM {{ dds }}.{{ satellite }} AS s
    WHERE s.{{ key }} = o.{{ key }} AND s.renamed_to IS NOT NULL
    OFFSET 0
) AS n
CROSS JOIN LATERAL (
    SELECT k.{{ key }}
    FROM {{ dds }}.{{ hub }} AS k
    WHERE k.{{ name }} = n.{{ name }}
    OFFSET 0
) AS h
{%- endmacro %}
WITH RECURSIVE changed AS (
    SELECT t.h_ticket_pk
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT s.h_ticket_pk
        FROM {{ dds }}.s_ticket AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS t
    {%- for satellite, key, link in [
        ("s_booking", "h_booking_pk", "l_ticket_booking"),
        ("s_flight", "h_flight_pk", "l_ticket_flight"),
        ("s_ticket_flight", "hk_ticket_flight_pk", "l_ticket_flight"),
        ("s_boarding_pass", "hk_ticket_flight_pk", "l_ticket_flight"),
    ] %}
    UNION
    SELECT l.h_ticket_pk
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT s.{{ key }}
        FROM {{ dds }}.{{ satellite }} AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0
    ) AS f
    CROSS JOIN LATERAL (
        SELECT o.h_ticket_pk
        FROM {{ dds }}.{{ link }} AS o
        WHERE o.{{ key }} = f.{{ key }}
        OFFSET 0
    ) AS l
    {%- endfor %}
),

tickets AS (
    SELECT c.h_ticket_pk
    FROM changed AS c
    UNION
    {{ renamed("tickets", "h_ticket", "s_ticket", "h_ticket_pk", "ticket_no") | indent }}
),

airports AS (
    SELECT a.h_airport_pk
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT s.h_airport_pk
        FROM {{ dds }}.s_airport AS s
        WHERE
            {{ in_range("s") | indent(12) }}
        OFFSET 0
    ) AS a
    UNION
    {{ renamed("airports", "h_airport", "s_airport", "h_airport_pk", "airport_code") | indent }}
)

SELECT s.passenger_id
FROM tickets AS t
CROSS JOIN LATERAL (
    SELECT v.passenger_id
    FROM {{ dds }}.s_ticket AS v
    WHERE v.h_ticket_pk = t.h_ticket_pk
    OFFSET 0
) AS s
UNION ALL
SELECT m.passenger_id
FROM airports AS a
CROSS JOIN LATERAL (
    SELECT h.airport_code
    FROM {{ dds }}.h_airport AS h
    WHERE h.h_airport_pk = a.h_airport_pk
    OFFSET 0
) AS c
CROSS JOIN LATERAL (
    SELECT p.passenger_id
    FROM {{ cdm }}.presentation AS p
    WHERE p.home_airport_code = c.airport_code
    OFFSET 0
) AS m
UNION ALL
SELECT s.passenger_id
FROM {{ dds }}.s_ticket AS s
WHERE
    EXISTS (
        SELECT 1
        FROM {{ dds }}.truncations AS t
        CROSS JOIN batch_ranges AS r
        WHERE
            {{ in_range("t") | indent(12) }}
    )

{#- The rows of the airline's tables with its own columns, from their newest versions
(`now`) or from all periods (`periods`), which say besides from when to when. -#}
{%- from "engine/changes/versions.sql" import in_force %}
{%- macro period(which) -%}
{%- if which == "periods" %},
    n.valid_from,
    n.valid_to,
    n.is_deleted,
    n.op,
    n.lsn
{%- endif %}
{%- endmacro -%}

{%- macro aircraft(dds, which) -%}
SELECT
    h.aircraft_code,
    n.model,
    n.range{{ period(which) }}
FROM {{ dds }}.h_aircraft AS h
INNER JOIN {{ dds }}.v_aircraft_{{ which }} AS n ON h.h_aircraft_pk = n.h_aircraft_pk
{%- endmacro -%}

{%- macro airport(dds, which) -%}
SELECT
    h.airport_code,
    n.airport_name,
    n.city,
    point(n.longitude, n.latitude) AS coordinates,
    n.timezone{{ period(which) }}
FROM {{ dds }}.h_airport AS h
INNER JOIN {{ dds }}.v_airport_{{ which }} AS n ON h.h_airport_pk = n.h_airport_pk
{%- endmacro -%}

{%- macro seat(dds, which) -%}
SELECT
    h.aircraft_code,
    h.seat_no,
    n.fare_conditions{{ period(which) }}
FROM {{ dds }}.h_seat AS h
INNER JOIN {{ dds }}.v_seat_{{ which }} AS n ON h.h_seat_pk = n.h_seat_pk
{%- endmacro -%}

{%- macro booking(dds, which) -%}
SELECT
    h.book_ref,
    n.book_date,
    n.total_amount{{ period(which) }}
FROM {{ dds }}.h_booking AS h
INNER JOIN {{ dds }}.v_booking_{{ which }} AS n ON h.h_booking_pk = n.h_booking_pk
{%- endmacro -%}

{%- macro ticket(dds, which) -%}
SELECT
    h.ticket_no,
    b.book_ref,
    n.passenger_id,
    n.passenger_name,
    n.contact_data{{ period(which) }}
FROM {{ dds }}.h_ticket AS h
INNER JOIN {{ dds }}.v_ticket_{{ which }} AS n ON h.h_ticket_pk = n.h_ticket_pk
-- They always exist; LEFT lets a query that uses none leave them out.
LEFT JOIN {{ dds }}.h_booking AS b ON n.h_booking_pk = b.h_booking_pk
{%- endmacro -%}

{%- macro flight(dds, which) -%}
SELECT
    h.flight_id,
    n.flight_no,
    n.scheduled_departure,
    n.scheduled_arrival,
    d.airport_code AS departure_airport,
    a.airport_code AS arrival_airport,
    n.status,
    c.aircraft_code,
    n.actual_departure,
    n.actual_arrival{{ period(which) }}
FROM {{ dds }}.h_flight AS h
INNER JOIN {{ dds }}.v_flight_{{ which }} AS n ON h.h_flight_pk = n.h_flight_pk
-- They always exist; LEFT lets a query that uses none leave them out.
LEFT JOIN {{ dds }}.h_airport AS d ON n.h_departure_airport_pk = d.h_airport_pk
LEFT JOIN {{ dds }}.h_airport AS a ON n.h_arrival_airport_pk = a.h_airport_pk
LEFT JOIN {{ dds }}.h_aircraft AS c ON n.h_aircraft_pk = c.h_aircraft_pk
{%- endmacro -%}

{%- macro ticket_flight(dds, which) -%}
SELECT
    t.ticket_no,
    f.flight_id,
    n.fare_conditions,
    n.amount{{ period(which) }}
FROM {{ dds }}.h_ticket AS t
INNER JOIN {{ dds }}.l_ticket_flight AS l ON t.h_ticket_pk = l.h_ticket_pk
INNER JOIN {{ dds }}.h_flight AS f ON l.h_flight_pk = f.h_flight_pk
INNER JOIN {{ dds }}.v_ticket_flight_{{ which }} AS n
    ON l.hk_ticket_flight_pk = n.hk_ticket_flight_pk
{%- endmacro -%}

{%- macro boarding_pass(dds, which) -%}
SELECT
    t.ticket_no,
    f.flight_id,
    n.boarding_no,
    n.seat_no{{ period(which) }}
FROM {{ dds }}.h_ticket AS t
INNER JOIN {{ dds }}.l_ticket_flight AS l ON t.h_ticket_pk = l.h_ticket_pk
INNER JOIN {{ dds }}.h_flight AS f ON l.h_flight_pk = f.h_flight_pk
INNER JOIN {{ dds }}.v_boarding_pass_{{ which }} AS n
    ON l.hk_ticket_flight_pk = n.hk_ticket_flight_pk
{%- endmacro -%}

{#- Since when and until when a row had another one: `column` of `one` is the key of
`hub`, whose business key is `other`. -#}
{%- macro pair(one, dds, column, hub, other) -%}
SELECT
    h.{{ one.named_by[0] }},
    o.{{ other }},
    e.valid_from,
    e.valid_to
FROM (
    {{ in_force(one, dds, column) | indent }}
) AS e
INNER JOIN {{ dds }}.{{ one.base }} AS h ON e.{{ one.key }} = h.{{ one.key }}
INNER JOIN {{ dds }}.{{ hub }} AS o ON e.{{ column }} = o.{{ hub }}_pk
{%- endmacro -%}

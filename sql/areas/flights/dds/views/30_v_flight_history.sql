-- What the rows of flights were, from when to when. A row per period.
CREATE OR REPLACE VIEW {{ dds }}.v_flight_history AS
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
    n.actual_arrival,
    n.valid_from,
    n.valid_to,
    n.is_deleted,
    n.op,
    n.lsn
FROM {{ dds }}.h_flight AS h
INNER JOIN {{ dds }}.v_flight_periods AS n ON h.h_flight_pk = n.h_flight_pk
-- They always exist; LEFT lets a query that uses none leave them out.
LEFT JOIN {{ dds }}.h_airport AS d ON n.h_departure_airport_pk = d.h_airport_pk
LEFT JOIN {{ dds }}.h_airport AS a ON n.h_arrival_airport_pk = a.h_airport_pk
LEFT JOIN {{ dds }}.h_aircraft AS c ON n.h_aircraft_pk = c.h_aircraft_pk

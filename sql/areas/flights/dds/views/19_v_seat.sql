-- The airline's table seats, as far as its changes have come.
CREATE OR REPLACE VIEW {{ dds }}.v_seat AS
SELECT
    h.aircraft_code,
    h.seat_no,
    n.fare_conditions
FROM {{ dds }}.h_seat AS h
INNER JOIN {{ dds }}.v_seat_now AS n ON h.h_seat_pk = n.h_seat_pk

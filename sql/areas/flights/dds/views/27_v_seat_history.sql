-- What the rows of seats were, from when to when. A row per period.
CREATE OR REPLACE VIEW {{ dds }}.v_seat_history AS
SELECT
    h.aircraft_code,
    h.seat_no,
    n.fare_conditions,
    n.valid_from,
    n.valid_to,
    n.is_deleted,
    n.op,
    n.lsn
FROM {{ dds }}.h_seat AS h
INNER JOIN {{ dds }}.v_seat_periods AS n ON h.h_seat_pk = n.h_seat_pk

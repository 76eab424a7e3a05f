-- What the rows of ticket_flights were, from when to when. A row per period.
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_flight_history AS
SELECT
    t.ticket_no,
    f.flight_id,
    n.fare_conditions,
    n.amount,
    n.valid_from,
    n.valid_to,
    n.is_deleted,
    n.op,
    n.lsn
FROM {{ dds }}.h_ticket AS t
INNER JOIN {{ dds }}.l_ticket_flight AS l ON t.h_ticket_pk = l.h_ticket_pk
INNER JOIN {{ dds }}.h_flight AS f ON l.h_flight_pk = f.h_flight_pk
INNER JOIN {{ dds }}.v_ticket_flight_periods AS n
    ON l.hk_ticket_flight_pk = n.hk_ticket_flight_pk

-- The airline's table boarding_passes, as far as its changes have come.
CREATE OR REPLACE VIEW {{ dds }}.v_boarding_pass AS
SELECT
    t.ticket_no,
    f.flight_id,
    n.boarding_no,
    n.seat_no
FROM {{ dds }}.h_ticket AS t
INNER JOIN {{ dds }}.l_ticket_flight AS l ON t.h_ticket_pk = l.h_ticket_pk
INNER JOIN {{ dds }}.h_flight AS f ON l.h_flight_pk = f.h_flight_pk
INNER JOIN {{ dds }}.v_boarding_pass_now AS n
    ON l.hk_ticket_flight_pk = n.hk_ticket_flight_pk

-- The airline's table tickets, as far as its changes have come.
CREATE OR REPLACE VIEW {{ dds }}.v_ticket AS
SELECT
    h.ticket_no,
    b.book_ref,
    n.passenger_id,
    n.passenger_name,
    n.contact_data
FROM {{ dds }}.h_ticket AS h
INNER JOIN {{ dds }}.v_ticket_now AS n ON h.h_ticket_pk = n.h_ticket_pk
-- They always exist; LEFT lets a query that uses none leave them out.
LEFT JOIN {{ dds }}.h_booking AS b ON n.h_booking_pk = b.h_booking_pk

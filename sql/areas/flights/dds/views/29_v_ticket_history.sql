-- What the rows of tickets were, from when to when. A row per period.
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_history AS
SELECT
    h.ticket_no,
    b.book_ref,
    n.passenger_id,
    n.passenger_name,
    n.contact_data,
    n.valid_from,
    n.valid_to,
    n.is_deleted,
    n.op,
    n.lsn
FROM {{ dds }}.h_ticket AS h
INNER JOIN {{ dds }}.v_ticket_periods AS n ON h.h_ticket_pk = n.h_ticket_pk
-- They always exist; LEFT lets a query that uses none leave them out.
LEFT JOIN {{ dds }}.h_booking AS b ON n.h_booking_pk = b.h_booking_pk

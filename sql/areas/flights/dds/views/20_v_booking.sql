-- The airline's table bookings, as far as its changes have come.
CREATE OR REPLACE VIEW {{ dds }}.v_booking AS
SELECT
    h.book_ref,
    n.book_date,
    n.total_amount
FROM {{ dds }}.h_booking AS h
INNER JOIN {{ dds }}.v_booking_now AS n ON h.h_booking_pk = n.h_booking_pk

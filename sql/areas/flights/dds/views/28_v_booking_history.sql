-- What the rows of bookings were, from when to when. A row per period.
CREATE OR REPLACE VIEW {{ dds }}.v_booking_history AS
SELECT
    h.book_ref,
    n.book_date,
    n.total_amount,
    n.valid_from,
    n.valid_to,
    n.is_deleted,
    n.op,
    n.lsn
FROM {{ dds }}.h_booking AS h
INNER JOIN {{ dds }}.v_booking_periods AS n ON h.h_booking_pk = n.h_booking_pk

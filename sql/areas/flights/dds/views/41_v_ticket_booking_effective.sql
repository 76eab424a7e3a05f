-- Which booking a ticket was part of, since when and until when.
{%- from "areas/flights/dds/parts/tables.sql" import ticket %}
{%- from "engine/changes/versions.sql" import in_force %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_booking_effective AS
SELECT
    h.ticket_no,
    o.book_ref,
    e.valid_from,
    e.valid_to
FROM (
    {{ in_force(ticket, dds, "h_booking_pk") | indent }}
) AS e
INNER JOIN {{ dds }}.h_ticket AS h ON e.h_ticket_pk = h.h_ticket_pk
INNER JOIN {{ dds }}.h_booking AS o ON e.h_booking_pk = o.h_booking_pk

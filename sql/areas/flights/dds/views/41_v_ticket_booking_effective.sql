-- Which booking a ticket was part of, since when and until when.
{%- from "areas/flights/dds/parts/rows.sql" import pair %}
{%- from "areas/flights/dds/parts/tables.sql" import ticket %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_booking_effective AS
{{ pair(ticket, dds, "h_booking_pk", "h_booking", "book_ref") }}

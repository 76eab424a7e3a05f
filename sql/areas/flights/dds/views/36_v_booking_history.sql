-- What the rows of bookings were, from when to when. A row per period.
{%- from "areas/flights/dds/parts/rows.sql" import booking %}
CREATE OR REPLACE VIEW {{ dds }}.v_booking_history AS
{{ booking(dds, "periods") }}

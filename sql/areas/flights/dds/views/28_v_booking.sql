-- The airline's table bookings, as far as its changes have come.
{%- from "areas/flights/dds/parts/rows.sql" import booking %}
CREATE OR REPLACE VIEW {{ dds }}.v_booking AS
{{ booking(dds, "now") }}

-- The airline's table ticket_flights, as far as its changes have come.
{%- from "areas/flights/dds/parts/rows.sql" import ticket_flight %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_flight AS
{{ ticket_flight(dds, "now") }}

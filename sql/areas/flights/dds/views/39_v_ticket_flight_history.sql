-- What the rows of ticket_flights were, from when to when. A row per period.
{%- from "areas/flights/dds/parts/rows.sql" import ticket_flight %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_flight_history AS
{{ ticket_flight(dds, "periods") }}

-- Each flight of a ticket, by hub key: from when to when it was what. A row per period.
{%- from "areas/flights/dds/parts/tables.sql" import ticket_flight %}
{%- from "engine/changes/versions.sql" import periods %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_flight_periods AS
{{ periods(ticket_flight, dds) }}

-- Each flight of a ticket that there is, by hub key: its newest version.
{%- from "areas/flights/dds/parts/tables.sql" import ticket_flight %}
{%- from "engine/changes/versions.sql" import newest %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_flight_now AS
{{ newest(ticket_flight, dds) }}

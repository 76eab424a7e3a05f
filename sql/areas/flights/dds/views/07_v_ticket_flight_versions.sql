-- All versions of each ticket flight, by hub key, in the order that counts.
{%- from "areas/flights/dds/parts/tables.sql" import ticket_flight %}
{%- from "engine/changes/versions.sql" import versions %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_flight_versions AS
{{ versions(ticket_flight, dds) }}

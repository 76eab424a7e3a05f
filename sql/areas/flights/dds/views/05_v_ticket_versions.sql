-- All versions of each ticket, by hub key, in the order that counts.
{%- from "areas/flights/dds/parts/tables.sql" import ticket %}
{%- from "engine/changes/versions.sql" import versions %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_versions AS
{{ versions(ticket, dds) }}

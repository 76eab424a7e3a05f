-- Each ticket that there is, by hub key: its newest version.
{%- from "areas/flights/dds/parts/tables.sql" import ticket %}
{%- from "engine/changes/versions.sql" import newest %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_now AS
{{ newest(ticket, dds) }}

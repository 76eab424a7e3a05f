-- Each ticket, by hub key: from when to when it was what. A row per period.
{%- from "areas/flights/dds/parts/tables.sql" import ticket %}
{%- from "engine/changes/versions.sql" import periods %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket_periods AS
{{ periods(ticket, dds) }}

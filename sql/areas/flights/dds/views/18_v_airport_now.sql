-- Each airport that there is, by hub key: its newest version.
{%- from "areas/flights/dds/parts/tables.sql" import airport %}
{%- from "engine/changes/versions.sql" import newest %}
CREATE OR REPLACE VIEW {{ dds }}.v_airport_now AS
{{ newest(airport, dds) }}

-- Each flight that there is, by hub key: its newest version.
{%- from "areas/flights/dds/parts/tables.sql" import flight %}
{%- from "engine/changes/versions.sql" import newest %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_now AS
{{ newest(flight, dds) }}

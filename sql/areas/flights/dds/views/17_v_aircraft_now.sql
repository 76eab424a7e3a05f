-- Each aircraft type that there is, by hub key: its newest version.
{%- from "areas/flights/dds/parts/tables.sql" import aircraft %}
{%- from "engine/changes/versions.sql" import newest %}
CREATE OR REPLACE VIEW {{ dds }}.v_aircraft_now AS
{{ newest(aircraft, dds) }}

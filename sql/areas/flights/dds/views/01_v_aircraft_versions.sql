-- All versions of each aircraft, by hub key, in the order that counts.
{%- from "areas/flights/dds/parts/tables.sql" import aircraft %}
{%- from "engine/changes/versions.sql" import versions %}
CREATE OR REPLACE VIEW {{ dds }}.v_aircraft_versions AS
{{ versions(aircraft, dds) }}

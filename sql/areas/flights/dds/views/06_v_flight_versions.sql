-- All versions of each flight, by hub key, in the order that counts.
{%- from "areas/flights/dds/parts/tables.sql" import flight %}
{%- from "engine/changes/versions.sql" import versions %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_versions AS
{{ versions(flight, dds) }}

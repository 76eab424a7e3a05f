-- All versions of each airport, by hub key, in the order that counts.
{%- from "areas/flights/dds/parts/tables.sql" import airport %}
{%- from "engine/changes/versions.sql" import versions %}
CREATE OR REPLACE VIEW {{ dds }}.v_airport_versions AS
{{ versions(airport, dds) }}

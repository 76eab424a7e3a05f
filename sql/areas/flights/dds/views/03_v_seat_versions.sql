-- All versions of each seat, by hub key, in the order that counts.
{%- from "areas/flights/dds/parts/tables.sql" import seat %}
{%- from "engine/changes/versions.sql" import versions %}
CREATE OR REPLACE VIEW {{ dds }}.v_seat_versions AS
{{ versions(seat, dds) }}

-- All versions of each booking, by hub key, in the order that counts.
{%- from "areas/flights/dds/parts/tables.sql" import booking %}
{%- from "engine/changes/versions.sql" import versions %}
CREATE OR REPLACE VIEW {{ dds }}.v_booking_versions AS
{{ versions(booking, dds) }}

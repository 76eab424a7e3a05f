-- Each booking that there is, by hub key: its newest version.
{%- from "areas/flights/dds/parts/tables.sql" import booking %}
{%- from "engine/changes/versions.sql" import newest %}
CREATE OR REPLACE VIEW {{ dds }}.v_booking_now AS
{{ newest(booking, dds) }}

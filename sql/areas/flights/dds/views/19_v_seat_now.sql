-- Each seat that there is, by hub key: its newest version.
{%- from "areas/flights/dds/parts/tables.sql" import seat %}
{%- from "engine/changes/versions.sql" import newest %}
CREATE OR REPLACE VIEW {{ dds }}.v_seat_now AS
{{ newest(seat, dds) }}

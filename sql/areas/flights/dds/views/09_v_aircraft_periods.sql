-- Each aircraft type, by hub key: from when to when it was what. A row per period.
{%- from "areas/flights/dds/parts/tables.sql" import aircraft %}
{%- from "engine/changes/versions.sql" import periods %}
CREATE OR REPLACE VIEW {{ dds }}.v_aircraft_periods AS
{{ periods(aircraft, dds) }}

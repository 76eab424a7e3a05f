-- Each airport, by hub key: from when to when it was what. A row per period.
{%- from "areas/flights/dds/parts/tables.sql" import airport %}
{%- from "engine/changes/versions.sql" import periods %}
CREATE OR REPLACE VIEW {{ dds }}.v_airport_periods AS
{{ periods(airport, dds) }}

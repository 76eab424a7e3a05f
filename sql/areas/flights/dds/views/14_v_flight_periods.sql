-- Each flight, by hub key: from when to when it was what. A row per period.
{%- from "areas/flights/dds/parts/tables.sql" import flight %}
{%- from "engine/changes/versions.sql" import periods %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_periods AS
{{ periods(flight, dds) }}

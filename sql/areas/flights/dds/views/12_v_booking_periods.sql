-- Each booking, by hub key: from when to when it was what. A row per period.
{%- from "areas/flights/dds/parts/tables.sql" import booking %}
{%- from "engine/changes/versions.sql" import periods %}
CREATE OR REPLACE VIEW {{ dds }}.v_booking_periods AS
{{ periods(booking, dds) }}

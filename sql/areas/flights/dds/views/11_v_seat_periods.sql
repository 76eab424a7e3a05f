-- Each seat, by hub key: from when to when it was what. A row per period.
{%- from "areas/flights/dds/parts/tables.sql" import seat %}
{%- from "engine/changes/versions.sql" import periods %}
CREATE OR REPLACE VIEW {{ dds }}.v_seat_periods AS
{{ periods(seat, dds) }}

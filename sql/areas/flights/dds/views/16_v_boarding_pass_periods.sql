-- Each boarding pass, by hub key: from when to when it was what. A row per period.
{%- from "areas/flights/dds/parts/tables.sql" import boarding_pass %}
{%- from "engine/changes/versions.sql" import periods %}
CREATE OR REPLACE VIEW {{ dds }}.v_boarding_pass_periods AS
{{ periods(boarding_pass, dds) }}

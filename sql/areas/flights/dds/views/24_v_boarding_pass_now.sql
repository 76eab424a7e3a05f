-- Each boarding pass that there is, by hub key: its newest version.
{%- from "areas/flights/dds/parts/tables.sql" import boarding_pass %}
{%- from "engine/changes/versions.sql" import newest %}
CREATE OR REPLACE VIEW {{ dds }}.v_boarding_pass_now AS
{{ newest(boarding_pass, dds) }}

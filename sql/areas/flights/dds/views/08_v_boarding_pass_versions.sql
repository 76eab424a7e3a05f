-- All versions of each boarding pass, by hub key, in the order that counts.
{%- from "areas/flights/dds/parts/tables.sql" import boarding_pass %}
{%- from "engine/changes/versions.sql" import versions %}
CREATE OR REPLACE VIEW {{ dds }}.v_boarding_pass_versions AS
{{ versions(boarding_pass, dds) }}

-- What the rows of boarding_passes were, from when to when. A row per period.
{%- from "areas/flights/dds/parts/rows.sql" import boarding_pass %}
CREATE OR REPLACE VIEW {{ dds }}.v_boarding_pass_history AS
{{ boarding_pass(dds, "periods") }}

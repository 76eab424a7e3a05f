-- The airline's table boarding_passes, as far as its changes have come.
{%- from "areas/flights/dds/parts/rows.sql" import boarding_pass %}
CREATE OR REPLACE VIEW {{ dds }}.v_boarding_pass AS
{{ boarding_pass(dds, "now") }}

-- The airline's table aircrafts, as far as its changes have come.
{%- from "areas/flights/dds/parts/rows.sql" import aircraft %}
CREATE OR REPLACE VIEW {{ dds }}.v_aircraft AS
{{ aircraft(dds, "now") }}

-- The airline's table flights, as far as its changes have come.
{%- from "areas/flights/dds/parts/rows.sql" import flight %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight AS
{{ flight(dds, "now") }}

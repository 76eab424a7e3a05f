-- The airline's table airports, as far as its changes have come.
{%- from "areas/flights/dds/parts/rows.sql" import airport %}
CREATE OR REPLACE VIEW {{ dds }}.v_airport AS
{{ airport(dds, "now") }}

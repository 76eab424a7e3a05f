-- The airline's table tickets, as far as its changes have come.
{%- from "areas/flights/dds/parts/rows.sql" import ticket %}
CREATE OR REPLACE VIEW {{ dds }}.v_ticket AS
{{ ticket(dds, "now") }}

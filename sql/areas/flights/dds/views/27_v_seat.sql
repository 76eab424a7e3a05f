-- The airline's table seats, as far as its changes have come.
{%- from "areas/flights/dds/parts/rows.sql" import seat %}
CREATE OR REPLACE VIEW {{ dds }}.v_seat AS
{{ seat(dds, "now") }}

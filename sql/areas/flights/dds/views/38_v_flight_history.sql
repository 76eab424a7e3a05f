-- What the rows of flights were, from when to when. A row per period.
{%- from "areas/flights/dds/parts/rows.sql" import flight %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_history AS
{{ flight(dds, "periods") }}

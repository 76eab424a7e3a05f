-- What the rows of aircrafts were, from when to when. A row per period.
{%- from "areas/flights/dds/parts/rows.sql" import aircraft %}
CREATE OR REPLACE VIEW {{ dds }}.v_aircraft_history AS
{{ aircraft(dds, "periods") }}

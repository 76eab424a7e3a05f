-- Which aircraft type a flight had, since when and until when.
{%- from "areas/flights/dds/parts/rows.sql" import pair %}
{%- from "areas/flights/dds/parts/tables.sql" import flight %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_aircraft_effective AS
{{ pair(flight, dds, "h_aircraft_pk", "h_aircraft", "aircraft_code") }}

-- Where a flight was to depart, since when and until when.
{%- from "areas/flights/dds/parts/rows.sql" import pair %}
{%- from "areas/flights/dds/parts/tables.sql" import flight %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_departure_airport_effective AS
{{ pair(flight, dds, "h_departure_airport_pk", "h_airport", "airport_code") }}

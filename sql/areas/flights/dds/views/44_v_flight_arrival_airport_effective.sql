-- Where a flight was to arrive, since when and until when.
{%- from "areas/flights/dds/parts/rows.sql" import pair %}
{%- from "areas/flights/dds/parts/tables.sql" import flight %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_arrival_airport_effective AS
{{ pair(flight, dds, "h_arrival_airport_pk", "h_airport", "airport_code") }}

-- Which aircraft type a flight had, since when and until when.
{%- from "areas/flights/dds/parts/tables.sql" import flight %}
{%- from "engine/changes/versions.sql" import in_force %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_aircraft_effective AS
SELECT
    h.flight_id,
    o.aircraft_code,
    e.valid_from,
    e.valid_to
FROM (
    {{ in_force(flight, dds, "h_aircraft_pk") | indent }}
) AS e
INNER JOIN {{ dds }}.h_flight AS h ON e.h_flight_pk = h.h_flight_pk
INNER JOIN {{ dds }}.h_aircraft AS o ON e.h_aircraft_pk = o.h_aircraft_pk

-- Where a flight was to depart, since when and until when.
{%- from "areas/flights/dds/parts/tables.sql" import flight %}
{%- from "engine/changes/versions.sql" import in_force %}
CREATE OR REPLACE VIEW {{ dds }}.v_flight_departure_airport_effective AS
SELECT
    h.flight_id,
    o.airport_code,
    e.valid_from,
    e.valid_to
FROM (
    {{ in_force(flight, dds, "h_departure_airport_pk") | indent }}
) AS e
INNER JOIN {{ dds }}.h_flight AS h ON e.h_flight_pk = h.h_flight_pk
INNER JOIN {{ dds }}.h_airport AS o ON e.h_departure_airport_pk = o.h_airport_pk

-- The airline's table aircrafts, as far as its changes have come.
CREATE OR REPLACE VIEW {{ dds }}.v_aircraft AS
SELECT
    h.aircraft_code,
    n.model,
    n.range
FROM {{ dds }}.h_aircraft AS h
INNER JOIN {{ dds }}.v_aircraft_now AS n ON h.h_aircraft_pk = n.h_aircraft_pk

-- The airline's table airports, as far as its changes have come.
CREATE OR REPLACE VIEW {{ dds }}.v_airport AS
SELECT
    h.airport_code,
    n.airport_name,
    n.city,
    point(n.longitude, n.latitude) AS coordinates,
    n.timezone
FROM {{ dds }}.h_airport AS h
INNER JOIN {{ dds }}.v_airport_now AS n ON h.h_airport_pk = n.h_airport_pk

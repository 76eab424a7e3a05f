-- What the rows of airports were, from when to when. A row per period.
CREATE OR REPLACE VIEW {{ dds }}.v_airport_history AS
SELECT
    h.airport_code,
    n.airport_name,
    n.city,
    point(n.longitude, n.latitude) AS coordinates,
    n.timezone,
    n.valid_from,
    n.valid_to,
    n.is_deleted,
    n.op,
    n.lsn
FROM {{ dds }}.h_airport AS h
INNER JOIN {{ dds }}.v_airport_periods AS n ON h.h_airport_pk = n.h_airport_pk

-- What the rows of aircrafts were, from when to when. A row per period.
CREATE OR REPLACE VIEW {{ dds }}.v_aircraft_history AS
SELECT
    h.aircraft_code,
    n.model,
    n.range,
    n.valid_from,
    n.valid_to,
    n.is_deleted,
    n.op,
    n.lsn
FROM {{ dds }}.h_aircraft AS h
INNER JOIN {{ dds }}.v_aircraft_periods AS n ON h.h_aircraft_pk = n.h_aircraft_pk

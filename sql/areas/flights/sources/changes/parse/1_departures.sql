-- The airport of departure of each version of a flight.
{#- makes: departures #}
CREATE TEMP TABLE batch_departures ON COMMIT DROP AS
SELECT
    f.load_src,
    f.h_flight_pk,
    f.h_departure_airport_pk AS h_airport_pk,
    f.departure_airport AS airport_code
FROM batch_flights AS f

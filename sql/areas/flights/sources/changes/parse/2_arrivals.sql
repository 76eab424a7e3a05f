-- The airport of arrival of each version of a flight.
{#- makes: arrivals #}
CREATE TEMP TABLE batch_arrivals ON COMMIT DROP AS
SELECT
    f.load_src,
    f.h_flight_pk,
    f.h_arrival_airport_pk AS h_airport_pk,
    f.arrival_airport AS airport_code
FROM batch_flights AS f

-- What the airline's administrator grants; the roles are there.
GRANT USAGE ON SCHEMA bookings
TO airline_connector, airline_reader, airline_monitor;
GRANT SELECT ON
bookings.aircrafts, bookings.airports, bookings.seats, bookings.bookings,
bookings.tickets, bookings.flights, bookings.ticket_flights,
bookings.boarding_passes TO airline_connector, airline_reader;
-- The upsert of the heartbeat; an upsert reads, too.
GRANT SELECT, INSERT, UPDATE ON bookings.heartbeat TO airline_connector;
GRANT SELECT ON bookings.heartbeat TO airline_monitor;

-- Exactly these tables: one without a key could not be updated in the source any more.
CREATE PUBLICATION palate_flights FOR TABLE
bookings.aircrafts, bookings.airports, bookings.seats, bookings.bookings,
bookings.tickets, bookings.flights, bookings.ticket_flights,
bookings.boarding_passes, bookings.heartbeat;

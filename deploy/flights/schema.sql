-- The airline's tables, made by the login of its application.
CREATE SCHEMA IF NOT EXISTS bookings;

CREATE TABLE IF NOT EXISTS bookings.aircrafts (
    aircraft_code char(3) NOT NULL PRIMARY KEY,
    model jsonb NOT NULL,
    range integer NOT NULL CHECK (range > 0)
);

CREATE TABLE IF NOT EXISTS bookings.airports (
    airport_code char(3) NOT NULL PRIMARY KEY,
    airport_name jsonb NOT NULL,
    city jsonb NOT NULL,
    coordinates point NOT NULL,
    timezone text NOT NULL
);

CREATE TABLE IF NOT EXISTS bookings.seats (
    aircraft_code char(3) NOT NULL
    REFERENCES bookings.aircrafts (aircraft_code) ON DELETE CASCADE,
    seat_no varchar(4) NOT NULL,
    fare_conditions varchar(10) NOT NULL,
    PRIMARY KEY (aircraft_code, seat_no)
);

CREATE TABLE IF NOT EXISTS bookings.bookings (
    book_ref char(6) NOT NULL PRIMARY KEY,
    book_date timestamptz NOT NULL,
    total_amount numeric(10, 2) NOT NULL
);

CREATE TABLE IF NOT EXISTS bookings.tickets (
    ticket_no char(13) NOT NULL PRIMARY KEY,
    book_ref char(6) NOT NULL REFERENCES bookings.bookings (book_ref),
    passenger_id varchar(20) NOT NULL,
    passenger_name text NOT NULL,
    contact_data jsonb
);

CREATE TABLE IF NOT EXISTS bookings.flights (
    flight_id integer NOT NULL PRIMARY KEY,
    flight_no char(6) NOT NULL,
    scheduled_departure timestamptz NOT NULL,
    scheduled_arrival timestamptz NOT NULL,
    departure_airport char(3) NOT NULL REFERENCES bookings.airports (airport_code),
    arrival_airport char(3) NOT NULL REFERENCES bookings.airports (airport_code),
    status varchar(20) NOT NULL,
    aircraft_code char(3) NOT NULL REFERENCES bookings.aircrafts (aircraft_code),
    actual_departure timestamptz,
    actual_arrival timestamptz,
    CHECK (scheduled_arrival > scheduled_departure)
);

-- A ticket issued anew takes what hangs on it along.
CREATE TABLE IF NOT EXISTS bookings.ticket_flights (
    ticket_no char(13) NOT NULL
    REFERENCES bookings.tickets (ticket_no) ON UPDATE CASCADE,
    flight_id integer NOT NULL REFERENCES bookings.flights (flight_id),
    fare_conditions varchar(10) NOT NULL,
    amount numeric(10, 2) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (ticket_no, flight_id)
);

CREATE TABLE IF NOT EXISTS bookings.boarding_passes (
    ticket_no char(13) NOT NULL,
    flight_id integer NOT NULL,
    boarding_no integer NOT NULL,
    seat_no varchar(4) NOT NULL,
    PRIMARY KEY (ticket_no, flight_id),
    UNIQUE (flight_id, boarding_no),
    UNIQUE (flight_id, seat_no),
    FOREIGN KEY (ticket_no, flight_id)
    REFERENCES bookings.ticket_flights (ticket_no, flight_id) ON UPDATE CASCADE
);

CREATE INDEX IF NOT EXISTS tickets_book_ref ON bookings.tickets (book_ref);
CREATE INDEX IF NOT EXISTS ticket_flights_flight_id
ON bookings.ticket_flights (flight_id);

-- The connector's: it writes one row every few seconds.
CREATE TABLE IF NOT EXISTS bookings.heartbeat (
    id integer NOT NULL PRIMARY KEY,
    beat_at timestamptz NOT NULL
);

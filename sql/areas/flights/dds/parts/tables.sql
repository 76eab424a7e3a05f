{#- The airline's tables: where the versions of their rows are, and which column of a
satellite comes from which column of the table, if a value may be unavailable. -#}
{%- set aircraft = {
    "table": "aircrafts",
    "satellite": "s_aircraft",
    "key": "h_aircraft_pk",
    "base": "h_aircraft",
    "periods": "v_aircraft_periods",
    "emptied": "truncations",
    "columns": {
        "model": "model",
        "range": "",
    },
} -%}
{%- set airport = {
    "table": "airports",
    "satellite": "s_airport",
    "key": "h_airport_pk",
    "base": "h_airport",
    "periods": "v_airport_periods",
    "emptied": "truncations",
    "columns": {
        "airport_name": "airport_name",
        "city": "city",
        "longitude": "",
        "latitude": "",
        "timezone": "timezone",
    },
} -%}
{%- set seat = {
    "table": "seats",
    "satellite": "s_seat",
    "key": "h_seat_pk",
    "base": "h_seat",
    "periods": "v_seat_periods",
    "emptied": "truncations",
    "columns": {
        "fare_conditions": "fare_conditions",
    },
} -%}
{%- set booking = {
    "table": "bookings",
    "satellite": "s_booking",
    "key": "h_booking_pk",
    "base": "h_booking",
    "periods": "v_booking_periods",
    "emptied": "truncations",
    "columns": {
        "book_date": "",
        "total_amount": "",
    },
} -%}
{%- set ticket = {
    "table": "tickets",
    "satellite": "s_ticket",
    "key": "h_ticket_pk",
    "base": "h_ticket",
    "periods": "v_ticket_periods",
    "emptied": "truncations",
    "columns": {
        "h_booking_pk": "book_ref",
        "passenger_id": "passenger_id",
        "passenger_name": "passenger_name",
        "contact_data": "contact_data",
    },
} -%}
{%- set flight = {
    "table": "flights",
    "satellite": "s_flight",
    "key": "h_flight_pk",
    "base": "h_flight",
    "periods": "v_flight_periods",
    "emptied": "truncations",
    "columns": {
        "flight_no": "flight_no",
        "scheduled_departure": "",
        "scheduled_arrival": "",
        "h_departure_airport_pk": "departure_airport",
        "h_arrival_airport_pk": "arrival_airport",
        "status": "status",
        "h_aircraft_pk": "aircraft_code",
        "actual_departure": "",
        "actual_arrival": "",
    },
} -%}
{%- set ticket_flight = {
    "table": "ticket_flights",
    "satellite": "s_ticket_flight",
    "key": "hk_ticket_flight_pk",
    "base": "l_ticket_flight",
    "periods": "v_ticket_flight_periods",
    "emptied": "truncations",
    "columns": {
        "fare_conditions": "fare_conditions",
        "amount": "",
    },
} -%}
{%- set boarding_pass = {
    "table": "boarding_passes",
    "satellite": "s_boarding_pass",
    "key": "hk_ticket_flight_pk",
    "base": "l_ticket_flight",
    "periods": "v_boarding_pass_periods",
    "emptied": "truncations",
    "columns": {
        "boarding_no": "",
        "seat_no": "seat_no",
    },
} -%}

{#- The airline's tables: where the versions of their rows are, and which column of a
satellite comes from which column of the table, if a value may be unavailable; and which
of these may be too large for their row: they are not sent with a changed key. -#}
{%- set aircraft = {
    "table": "aircrafts",
    "satellite": "s_aircraft",
    "key": "h_aircraft_pk",
    "base": "h_aircraft",
    "versions": "v_aircraft_versions",
    "periods": "v_aircraft_periods",
    "now": "v_aircraft_now",
    "named_by": ["aircraft_code"],
    "emptied": "truncations",
    "columns": {
        "model": "model",
        "range": "",
    },
    "large": ["model"],
} -%}
{%- set airport = {
    "table": "airports",
    "satellite": "s_airport",
    "key": "h_airport_pk",
    "base": "h_airport",
    "versions": "v_airport_versions",
    "periods": "v_airport_periods",
    "now": "v_airport_now",
    "named_by": ["airport_code"],
    "emptied": "truncations",
    "columns": {
        "airport_name": "airport_name",
        "city": "city",
        "longitude": "",
        "latitude": "",
        "timezone": "timezone",
    },
    "large": ["airport_name", "city", "timezone"],
} -%}
{%- set seat = {
    "table": "seats",
    "satellite": "s_seat",
    "key": "h_seat_pk",
    "base": "h_seat",
    "versions": "v_seat_versions",
    "periods": "v_seat_periods",
    "now": "v_seat_now",
    "emptied": "truncations",
    "columns": {
        "fare_conditions": "fare_conditions",
    },
    "large": [],
} -%}
{%- set booking = {
    "table": "bookings",
    "satellite": "s_booking",
    "key": "h_booking_pk",
    "base": "h_booking",
    "versions": "v_booking_versions",
    "periods": "v_booking_periods",
    "now": "v_booking_now",
    "emptied": "truncations",
    "columns": {
        "book_date": "",
        "total_amount": "",
    },
    "large": [],
} -%}
{%- set ticket = {
    "table": "tickets",
    "satellite": "s_ticket",
    "key": "h_ticket_pk",
    "base": "h_ticket",
    "versions": "v_ticket_versions",
    "periods": "v_ticket_periods",
    "now": "v_ticket_now",
    "named_by": ["ticket_no"],
    "emptied": "truncations",
    "columns": {
        "h_booking_pk": "book_ref",
        "passenger_id": "passenger_id",
        "passenger_name": "passenger_name",
        "contact_data": "contact_data",
    },
    "large": ["passenger_name", "contact_data"],
} -%}
{%- set flight = {
    "table": "flights",
    "satellite": "s_flight",
    "key": "h_flight_pk",
    "base": "h_flight",
    "versions": "v_flight_versions",
    "periods": "v_flight_periods",
    "now": "v_flight_now",
    "named_by": ["flight_id"],
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
    "large": [],
} -%}
{%- set ticket_flight = {
    "table": "ticket_flights",
    "satellite": "s_ticket_flight",
    "key": "hk_ticket_flight_pk",
    "base": "l_ticket_flight",
    "versions": "v_ticket_flight_versions",
    "periods": "v_ticket_flight_periods",
    "now": "v_ticket_flight_now",
    "emptied": "truncations",
    "columns": {
        "fare_conditions": "fare_conditions",
        "amount": "",
    },
    "large": [],
} -%}
{%- set boarding_pass = {
    "table": "boarding_passes",
    "satellite": "s_boarding_pass",
    "key": "hk_ticket_flight_pk",
    "base": "l_ticket_flight",
    "versions": "v_boarding_pass_versions",
    "periods": "v_boarding_pass_periods",
    "now": "v_boarding_pass_now",
    "emptied": "truncations",
    "columns": {
        "boarding_no": "",
        "seat_no": "seat_no",
    },
    "large": [],
} -%}

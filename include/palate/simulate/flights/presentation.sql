-- The mart `presentation` in its own words, from the airline's tables.
WITH named AS (
    SELECT DISTINCT ON (t.passenger_id)
        t.passenger_id,
        t.passenger_name
    FROM bookings.tickets AS t
    LEFT JOIN bookings.bookings AS b ON t.book_ref = b.book_ref
    ORDER BY
        t.passenger_id,
        b.book_date DESC NULLS LAST,
        t.ticket_no COLLATE "C" DESC
),

legs AS (
    SELECT
        t.passenger_id,
        t.ticket_no,
        tf.flight_id,
        tf.amount
    FROM bookings.tickets AS t
    INNER JOIN bookings.ticket_flights AS tf ON t.ticket_no = tf.ticket_no
),

money AS (
    SELECT
        passenger_id,
        sum(amount) AS purchase_sum
    FROM legs
    GROUP BY passenger_id
),

booked AS (
    SELECT DISTINCT
        l.passenger_id,
        f.flight_id,
        f.status,
        f.scheduled_departure,
        f.departure_airport,
        f.arrival_airport
    FROM legs AS l
    INNER JOIN bookings.flights AS f ON l.flight_id = f.flight_id
    WHERE f.status <> 'Cancelled'
),

boarded AS (
    SELECT DISTINCT
        t.passenger_id,
        bp.flight_id
    FROM bookings.boarding_passes AS bp
    INNER JOIN bookings.tickets AS t ON bp.ticket_no = t.ticket_no
),

counted AS (
    SELECT
        b.passenger_id,
        count(*) AS flight_number,
        count(*) FILTER (
            WHERE b.status IN ('Departed', 'Arrived') AND p.flight_id IS NOT NULL
        ) AS flown_number
    FROM booked AS b
    LEFT JOIN boarded AS p
        ON b.passenger_id = p.passenger_id AND b.flight_id = p.flight_id
    GROUP BY b.passenger_id
),

touches AS (
    SELECT
        b.passenger_id,
        b.flight_id,
        side.airport_code,
        row_number() OVER (
            PARTITION BY b.passenger_id
            ORDER BY b.scheduled_departure, b.flight_id, side.number
        ) AS turn
    FROM booked AS b
    CROSS JOIN LATERAL (
        VALUES (1, b.departure_airport), (2, b.arrival_airport)
    ) AS side (number, airport_code)
),

homes AS (
    SELECT DISTINCT ON (passenger_id)
        passenger_id,
        airport_code
    FROM touches
    GROUP BY passenger_id, airport_code
    ORDER BY passenger_id, count(DISTINCT flight_id) DESC, min(turn)
)

SELECT
    n.passenger_id,
    n.passenger_name,
    coalesce(c.flight_number, 0)::integer AS flight_number,
    coalesce(c.flown_number, 0)::integer AS flown_number,
    coalesce(m.purchase_sum, 0)::numeric(14, 2) AS purchase_sum,
    rtrim(h.airport_code) AS home_airport_code,
    CASE
        WHEN jsonb_typeof(a.airport_name) = 'string' THEN a.airport_name #>> '{}'
        ELSE coalesce(
            a.airport_name ->> %(language)s,
            (
                SELECT name.value
                FROM jsonb_each_text(a.airport_name) AS name
                WHERE name.value IS NOT NULL
                ORDER BY name.key COLLATE "C"
                LIMIT 1
            ),
            rtrim(h.airport_code)
        )
    END AS home_airport
FROM named AS n
LEFT JOIN counted AS c ON n.passenger_id = c.passenger_id
LEFT JOIN money AS m ON n.passenger_id = m.passenger_id
LEFT JOIN homes AS h ON n.passenger_id = h.passenger_id
LEFT JOIN bookings.airports AS a ON h.airport_code = a.airport_code
ORDER BY n.passenger_id COLLATE "C"

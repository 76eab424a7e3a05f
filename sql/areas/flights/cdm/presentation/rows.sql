-- Each passenger's row, from his living tickets and their flights.
WITH tickets AS (
    SELECT
        own.passenger_id,
        own.h_ticket_pk,
        t_id.ticket_no,
        own.passenger_name,
        b.book_date
    {%- if keys %}
    FROM (
        SELECT DISTINCT c.h_ticket_pk
        FROM {{ keys }} AS k
        CROSS JOIN LATERAL (
            SELECT s.h_ticket_pk
            FROM {{ dds }}.s_ticket AS s
            WHERE s.passenger_id = k.passenger_id
            OFFSET 0  -- one look-up per passenger, whatever the statistics say
        ) AS c
    ) AS t
    CROSS JOIN LATERAL (
        SELECT
            v.h_ticket_pk,
            v.h_booking_pk,
            v.passenger_id,
            v.passenger_name
        FROM {{ dds }}.v_ticket_now AS v
        WHERE v.h_ticket_pk = t.h_ticket_pk
        OFFSET 0
    ) AS own
    {%- else %}
    FROM {{ dds }}.v_ticket_now AS own
    {%- endif %}
    INNER JOIN {{ dds }}.h_ticket AS t_id ON own.h_ticket_pk = t_id.h_ticket_pk
    LEFT JOIN LATERAL (
        SELECT v.book_date
        FROM {{ dds }}.v_booking_now AS v
        WHERE v.h_booking_pk = own.h_booking_pk
        OFFSET 0
    ) AS b ON TRUE
    WHERE own.passenger_id IS NOT NULL
),

passengers AS (
    SELECT DISTINCT ON (t.passenger_id)
        t.passenger_id,
        t.passenger_name
    FROM tickets AS t
    ORDER BY t.passenger_id, t.book_date DESC NULLS LAST, t.ticket_no DESC
),

legs AS (
    SELECT
        t.passenger_id,
        l.h_flight_pk,
        f.amount,
        f.is_booked,
        p.has_pass
    FROM tickets AS t
    CROSS JOIN LATERAL (
        SELECT
            o.h_flight_pk,
            o.hk_ticket_flight_pk
        FROM {{ dds }}.l_ticket_flight AS o
        WHERE o.h_ticket_pk = t.h_ticket_pk
        OFFSET 0
    ) AS l
    LEFT JOIN LATERAL (
        SELECT
            v.amount,
            TRUE AS is_booked
        FROM {{ dds }}.v_ticket_flight_now AS v
        WHERE v.hk_ticket_flight_pk = l.hk_ticket_flight_pk
        OFFSET 0
    ) AS f ON TRUE
    LEFT JOIN LATERAL (
        SELECT TRUE AS has_pass
        FROM {{ dds }}.v_boarding_pass_now AS v
        WHERE v.hk_ticket_flight_pk = l.hk_ticket_flight_pk
        OFFSET 0
    ) AS p ON TRUE
),

booked AS (
    SELECT
        g.passenger_id,
        g.h_flight_pk,
        sum(g.amount) AS amount,
        bool_or(g.is_booked) AS is_booked,
        bool_or(g.has_pass) AS has_pass
    FROM legs AS g
    GROUP BY g.passenger_id, g.h_flight_pk
),

sums AS (
    SELECT
        b.passenger_id,
        sum(b.amount) AS purchase_sum
    FROM booked AS b
    GROUP BY b.passenger_id
),

-- Each flight once, however many of the passenger's tickets are for it.
flights AS (
    SELECT
        b.passenger_id,
        b.h_flight_pk,
        f_id.flight_id,
        b.has_pass IS TRUE AND n.status IN ('Departed', 'Arrived') AS is_flown,
        n.scheduled_departure,
        n.h_departure_airport_pk,
        n.h_arrival_airport_pk
    FROM booked AS b
    INNER JOIN {{ dds }}.h_flight AS f_id ON b.h_flight_pk = f_id.h_flight_pk
    CROSS JOIN LATERAL (
        SELECT
            v.status,
            v.scheduled_departure,
            v.h_departure_airport_pk,
            v.h_arrival_airport_pk
        FROM {{ dds }}.v_flight_now AS v
        WHERE v.h_flight_pk = b.h_flight_pk
        OFFSET 0
    ) AS n
    WHERE b.is_booked AND n.status IS DISTINCT FROM 'Cancelled'
),

numbers AS (
    SELECT
        f.passenger_id,
        count(*)::integer AS flight_number,
        count(*) FILTER (WHERE f.is_flown)::integer AS flown_number
    FROM flights AS f
    GROUP BY f.passenger_id
),

-- Where a flight departs and arrives; once, if that is one airport.
touches AS (
    SELECT
        f.passenger_id,
        f.h_departure_airport_pk AS h_airport_pk,
        f.scheduled_departure,
        f.flight_id,
        1 AS place
    FROM flights AS f
    WHERE f.h_departure_airport_pk IS NOT NULL
    UNION ALL
    SELECT
        f.passenger_id,
        f.h_arrival_airport_pk AS h_airport_pk,
        f.scheduled_departure,
        f.flight_id,
        2 AS place
    FROM flights AS f
    WHERE
        f.h_arrival_airport_pk IS NOT NULL
        AND f.h_arrival_airport_pk IS DISTINCT FROM f.h_departure_airport_pk
),

airports AS (
    SELECT
        t.passenger_id,
        t.h_airport_pk,
        count(*) AS touch_cnt,
        min(
            ARRAY[
                extract(EPOCH FROM t.scheduled_departure), t.flight_id, t.place
            ]::numeric[]
        ) AS first_touch
    FROM touches AS t
    GROUP BY t.passenger_id, t.h_airport_pk
),

homes AS (
    SELECT DISTINCT ON (c.passenger_id)
        c.passenger_id,
        c.h_airport_pk,
        a_id.airport_code
    FROM airports AS c
    INNER JOIN {{ dds }}.h_airport AS a_id ON c.h_airport_pk = a_id.h_airport_pk
    ORDER BY c.passenger_id, c.touch_cnt DESC, c.first_touch
)

SELECT
    p.passenger_id,
    p.passenger_name,
    coalesce(n.flight_number, 0) AS flight_number,
    coalesce(n.flown_number, 0) AS flown_number,
    coalesce(s.purchase_sum, 0) AS purchase_sum,
    h.airport_code AS home_airport_code,
    coalesce(a.airport_name, h.airport_code) AS home_airport
FROM passengers AS p
LEFT JOIN sums AS s ON p.passenger_id = s.passenger_id
LEFT JOIN numbers AS n ON p.passenger_id = n.passenger_id
LEFT JOIN homes AS h ON p.passenger_id = h.passenger_id
LEFT JOIN LATERAL (
    SELECT
        CASE jsonb_typeof(v.airport_name)
            WHEN 'string' THEN v.airport_name #>> '{}'
            WHEN 'object'
                THEN coalesce(
                    v.airport_name
                    ->> coalesce(
                        current_setting('palate.flights_language', TRUE), 'en'
                    ),
                    (
                        SELECT e.value
                        FROM jsonb_each_text(v.airport_name) AS e (language, value)
                        WHERE e.value IS NOT NULL
                        ORDER BY e.language COLLATE "C"
                        LIMIT 1
                    )
                )
        END AS airport_name
    FROM {{ dds }}.v_airport_now AS v
    WHERE v.h_airport_pk = h.h_airport_pk
    OFFSET 0
) AS a ON TRUE

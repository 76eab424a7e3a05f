-- Each passenger's row, from his living tickets and their flights.
{#- What is found is looked up row by row, put together by UNION ALL, and grouped. None
of it is joined with another part: how many rows a part has is a guess, and where that
is too low a join compares each row with all others. #}
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
    CROSS JOIN LATERAL (
        SELECT h.ticket_no
        FROM {{ dds }}.h_ticket AS h
        WHERE h.h_ticket_pk = own.h_ticket_pk
        OFFSET 0
    ) AS t_id
    LEFT JOIN LATERAL (
        SELECT v.book_date
        FROM {{ dds }}.v_booking_now AS v
        WHERE v.h_booking_pk = own.h_booking_pk
        OFFSET 0
    ) AS b ON TRUE
    WHERE own.passenger_id IS NOT NULL
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
    CROSS JOIN LATERAL (
        SELECT h.flight_id
        FROM {{ dds }}.h_flight AS h
        WHERE h.h_flight_pk = b.h_flight_pk
        OFFSET 0
    ) AS f_id
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

parts AS (
    (
        SELECT DISTINCT ON (t.passenger_id)
            t.passenger_id,
            t.passenger_name,
            NULL::numeric AS purchase_sum,
            NULL::boolean AS is_flown,
            NULL::uuid AS h_airport_pk
        FROM tickets AS t
        ORDER BY t.passenger_id, t.book_date DESC NULLS LAST, t.ticket_no DESC
    )
    UNION ALL
    SELECT
        b.passenger_id,
        NULL AS passenger_name,
        b.amount AS purchase_sum,
        NULL AS is_flown,
        NULL AS h_airport_pk
    FROM booked AS b
    UNION ALL
    SELECT
        f.passenger_id,
        NULL AS passenger_name,
        NULL AS purchase_sum,
        f.is_flown,
        NULL AS h_airport_pk
    FROM flights AS f
    UNION ALL
    (
        SELECT DISTINCT ON (c.passenger_id)
            c.passenger_id,
            NULL AS passenger_name,
            NULL AS purchase_sum,
            NULL AS is_flown,
            c.h_airport_pk
        FROM airports AS c
        ORDER BY c.passenger_id, c.touch_cnt DESC, c.first_touch
    )
),

passengers AS (
    SELECT
        p.passenger_id,
        max(p.passenger_name) AS passenger_name,
        count(p.is_flown)::integer AS flight_number,
        count(*) FILTER (WHERE p.is_flown)::integer AS flown_number,
        coalesce(sum(p.purchase_sum), 0) AS purchase_sum,
        (
            array_agg(p.h_airport_pk) FILTER (WHERE p.h_airport_pk IS NOT NULL)
        )[1] AS h_airport_pk
    FROM parts AS p
    GROUP BY p.passenger_id
)

SELECT
    p.passenger_id,
    p.passenger_name,
    p.flight_number,
    p.flown_number,
    p.purchase_sum,
    h.airport_code AS home_airport_code,
    coalesce(a.airport_name, h.airport_code) AS home_airport
FROM passengers AS p
LEFT JOIN LATERAL (
    SELECT o.airport_code
    FROM {{ dds }}.h_airport AS o
    WHERE o.h_airport_pk = p.h_airport_pk
    OFFSET 0
) AS h ON TRUE
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
    WHERE v.h_airport_pk = p.h_airport_pk
    OFFSET 0
) AS a ON TRUE

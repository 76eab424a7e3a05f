-- Every row has a newer version than a change of it that was refused.
{#- #warn #}
{%- set tables = {
    "aircrafts": ["s_aircraft", ["aircraft"]],
    "airports": ["s_airport", ["airport"]],
    "seats": ["s_seat", ["seat"]],
    "bookings": ["s_booking", ["booking"]],
    "tickets": ["s_ticket", ["ticket"]],
    "flights": ["s_flight", ["flight"]],
    "ticket_flights": ["s_ticket_flight", ["ticket", "flight"]],
    "boarding_passes": ["s_boarding_pass", ["ticket", "flight"]],
} %}
{%- set names = {
    "aircraft": ["aircraft_code"],
    "airport": ["airport_code"],
    "seat": ["aircraft_code", "seat_no"],
    "booking": ["book_ref"],
    "ticket": ["ticket_no"],
    "flight": ["flight_id"],
} %}
WITH refused AS (
    SELECT
        m.topic,
        m.epoch,
        m.kafka_partition,
        m.kafka_offset,
        m.reason,
        reverse(split_part(reverse(m.topic), '.', 1)) AS table_name,
        CASE WHEN c.key ? 'payload' THEN c.key -> 'payload' ELSE c.key END AS key,
        coalesce(c.doc #> '{source,lsn}', c.doc #> '{payload,source,lsn}') AS lsn
    FROM stg.rejected_messages AS m
    CROSS JOIN LATERAL (
        SELECT
            stg.jsonb_or_null(e.kafka_key) AS key,
            stg.jsonb_or_null(e.message) AS doc
        FROM
            stg.messages(
                m.topic, m.epoch, m.kafka_partition, m.kafka_offset, m.kafka_offset + 1
            ) AS e
        OFFSET 0
    ) AS c
    WHERE
        m.dismissed_dt IS NULL
        AND m.topic IN (
            SELECT w.topic
            FROM ops.watermarks AS w
            WHERE w.stage = 'flights/drain'
        )
)

SELECT
    r.table_name,
    r.key,
    r.reason,
    r.topic,
    r.epoch,
    r.kafka_partition,
    r.kafka_offset
FROM refused AS r
WHERE
    jsonb_typeof(r.key) = 'object'
    {%- for table, (satellite, hubs) in tables.items() %}
    AND NOT EXISTS (
        SELECT 1
        FROM {{ dds }}.h_{{ hubs[0] }} AS h
        {%- if hubs | length == 1 %}
        INNER JOIN {{ dds }}.{{ satellite }} AS s ON h.h_{{ hubs[0] }}_pk = s.h_{{ hubs[0] }}_pk
        {%- else %}
        INNER JOIN {{ dds }}.l_ticket_flight AS l ON h.h_ticket_pk = l.h_ticket_pk
        INNER JOIN {{ dds }}.h_flight AS f ON l.h_flight_pk = f.h_flight_pk
        INNER JOIN {{ dds }}.{{ satellite }} AS s
            ON l.hk_ticket_flight_pk = s.hk_ticket_flight_pk
        {%- endif %}
        WHERE
            r.table_name = '{{ table }}'
            {%- for hub in hubs %}
            {%- set alias = "f" if loop.index == 2 else "h" %}
            {%- for name in names[hub] %}
            AND {{ alias }}.{{ name }}::text = rtrim(r.key ->> '{{ name }}', ' ')
            {%- endfor %}
            {%- endfor %}
            AND (
                to_jsonb(s.lsn) > r.lsn AND jsonb_typeof(r.lsn) = 'number'
                OR (
                    s.topic = r.topic
                    AND s.kafka_partition = r.kafka_partition
                    AND (s.epoch, s.kafka_offset) > (r.epoch, r.kafka_offset)
                )
            )
    )
    {%- endfor %}
ORDER BY r.topic, r.epoch, r.kafka_partition, r.kafka_offset

{#- The messages of one form: their columns, the texts of its shape, and the reason why
a message is refused. `unfit` stands for what `rejected.sql` says in detail. -#}
SELECT
    e.*,
    r.form,
    CASE
        WHEN e.headers IS NOT NULL AND stg.has_header(e.headers, %(origin_header)s)
            THEN 'own_message'
        WHEN e.doc IS NULL THEN 'not_json'
        WHEN e.doc -> '{{ shape.kind.field }}' IS DISTINCT FROM '{{ shape.kind.text | tojson }}'::jsonb
            THEN '{{ shape.kind.reason }}'
        WHEN ({{ shape.accepts() }}) IS NOT TRUE
            THEN 'unfit'
        WHEN
            -- The time of a record without one, which is -1 in Kafka.
            e.broker_dt <> '1969-12-31 23:59:59.999+00'
            AND e.{{ shape.version_time }}::timestamp
            > e.broker_dt AT TIME ZONE 'UTC' + interval '1 day'
            THEN 'version_in_future'
    END AS reason
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    SELECT
        d.*
        {%- for column, text in shape.texts.items() %},
        {{ text | replace("doc #", "d.doc #") }} AS {{ column }}
        {%- endfor %}
    FROM (
        SELECT
            s.topic,
            s.epoch,
            s.kafka_partition,
            s.kafka_offset,
            s.broker_dt,
            s.headers,
            stg.jsonb_or_null(s.message) AS doc
        FROM
            -- A function, so that a range locks its own partitions only.
            stg.messages(
                r.topic, r.epoch, r.kafka_partition, r.from_offset, r.to_offset
            ) AS s
        OFFSET 0  -- each message is parsed once
    ) AS d
    OFFSET 0  -- each text is looked up once
) AS e
WHERE r.form = '{{ shape.form }}'
OFFSET 0

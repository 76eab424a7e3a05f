-- Stage a message for each difference of {{ table.name }}: the row as the source has it,
-- or that it is gone.
INSERT INTO stg.order_events (
    topic,
    epoch,
    kafka_partition,
    kafka_offset,
    broker_dt,
    message,
    kafka_key,
    staged_dt
)
SELECT
    %(feed)s AS topic,
    0 AS epoch,
    0 AS kafka_partition,
    %(next_offset)s + row_number() OVER (ORDER BY d.row_key) - 1 AS kafka_offset,
    %(load_dt)s AS broker_dt,
    convert_to(
        jsonb_build_object(
            'op', 'x',
            'source', %(source)s::jsonb,
            'until', %(until)s::jsonb,
            'after', CASE
                WHEN d.what <> 'gone'
                    THEN jsonb_build_object(
                        {%- for one in columns %}
                        '{{ one.name }}', {{ one.as_sent("s." + one.name) }}{{ "," if not loop.last }}
                        {%- endfor %}
                    )
            END
        )::text,
        'UTF8'
    ) AS message,
    convert_to(d.row_key::text, 'UTF8') AS kafka_key,
    %(load_dt)s AS staged_dt
FROM differences AS d
LEFT JOIN source_{{ table.name }} AS s
    ON
        {%- for one in table.key %}
        {{ "AND " if not loop.first }}s.{{ one.name }}::text = d.row_key ->> '{{ one.name }}'
        {%- endfor %}
WHERE d.table_name = '{{ table.name }}' AND d.what = any(%(what)s)

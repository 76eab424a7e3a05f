{#- The messages of one form in the batch, each parsed once. -#}
{%- macro parsed(form, which="") -%}
SELECT
    s.topic,
    s.epoch,
    s.kafka_partition,
    s.kafka_offset,
    s.broker_dt,
    s.headers,
    s.kafka_key IS NULL AS has_no_key,
    stg.jsonb_or_null(s.message) AS doc,
    stg.jsonb_or_null(s.kafka_key) AS key_doc
FROM batch_ranges AS r
CROSS JOIN LATERAL
    -- A function, so that a range locks its own partitions only.
    stg.messages(
        r.topic, r.epoch, r.kafka_partition, r.from_offset, r.to_offset
    ) AS s
WHERE
    r.form = '{{ form }}'
    {%- if which %}
    AND {{ which }}
    {%- endif %}
OFFSET 0  -- each message is parsed once
{%- endmacro -%}

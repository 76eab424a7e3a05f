-- Take the batch's messages as JSON, and say of each why it is no usable order.
CREATE TEMP TABLE batch_documents ON COMMIT DROP AS
SELECT
    e.topic,
    e.epoch,
    e.kafka_partition,
    e.kafka_offset,
    e.broker_dt,
    r.form,
    e.doc,
    CASE
        WHEN e.headers IS NOT NULL AND stg.has_header(e.headers, %(origin_header)s)
            THEN 'own_message'
        WHEN e.doc IS NULL THEN 'not_json'
        WHEN e.doc -> 'object_type' IS DISTINCT FROM '"order"'::jsonb
            THEN 'not_an_order'
        {%- for shape in shapes %}
        WHEN r.form = '{{ shape.form }}' AND ({{ shape.accepts() }}) IS NOT TRUE
            THEN 'unfit'
        {%- endfor %}
    END AS reason
FROM batch_ranges AS r
CROSS JOIN LATERAL (
    SELECT
        s.topic,
        s.epoch,
        s.kafka_partition,
        s.kafka_offset,
        s.broker_dt,
        s.headers,
        stg.jsonb_or_null(s.message) AS doc
    FROM stg.order_events AS s
    WHERE
        {{ in_range("s") | indent(8) }}
    OFFSET 0  -- one index scan per range, and each message parsed once
) AS e

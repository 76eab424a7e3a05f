-- Take the batch's messages as JSON, and say of each why it is no usable order.
CREATE TEMP TABLE batch_documents ON COMMIT DROP AS
WITH documents AS MATERIALIZED (
    SELECT
        e.topic,
        e.epoch,
        e.kafka_partition,
        e.kafka_offset,
        e.broker_dt,
        r.form,
        e.headers,
        stg.jsonb_or_null(e.message) AS doc
    FROM batch_ranges AS r
    CROSS JOIN LATERAL (
        SELECT
            s.topic,
            s.epoch,
            s.kafka_partition,
            s.kafka_offset,
            s.broker_dt,
            s.headers,
            s.message
        FROM stg.order_events AS s
        WHERE
            s.topic = r.topic
            AND s.epoch = r.epoch
            AND s.kafka_partition = r.kafka_partition
            AND s.kafka_offset >= r.from_offset
            AND s.kafka_offset < r.to_offset
        OFFSET 0  -- one index scan per range, whatever the statistics say
    ) AS e
)

SELECT
    topic,
    epoch,
    kafka_partition,
    kafka_offset,
    broker_dt,
    form,
    doc,
    CASE
        WHEN headers IS NOT NULL AND stg.has_header(headers, %(origin_header)s)
            THEN 'own_message'
        WHEN doc IS NULL THEN 'not_json'
        WHEN jsonb_typeof(doc) <> 'object' THEN 'not_an_order'
        WHEN doc -> 'object_type' IS DISTINCT FROM '"order"'::jsonb
            THEN 'not_an_order'
        {%- for shape in shapes %}
        WHEN form = '{{ shape.form }}' AND ({{ shape.accepts() }}) IS NOT TRUE
            THEN 'unfit'
        {%- endfor %}
    END AS reason
FROM documents

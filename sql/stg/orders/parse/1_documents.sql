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
    INNER JOIN stg.order_events AS e
        ON
            r.topic = e.topic
            AND r.epoch = e.epoch
            AND r.kafka_partition = e.kafka_partition
            AND r.from_offset <= e.kafka_offset
            AND r.to_offset > e.kafka_offset
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

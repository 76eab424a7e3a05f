-- One row per line of an accepted message, keys still as text.
CREATE TEMP TABLE batch_told_lines ON COMMIT DROP AS
SELECT
    o.topic,
    o.epoch,
    o.kafka_partition,
    o.kafka_offset,
    l.line_no::integer AS line_no,
    l.id AS product_id,
    l.name AS product_name,
    CASE WHEN o.topic = ANY(%(enriched_topics)s) THEN l.category END AS category_name,
    l.quantity::integer AS quantity,
    trim_scale(l.price) AS price
FROM batch_orders AS o
CROSS JOIN LATERAL ROWS FROM (
    jsonb_to_recordset(o.lines)
    AS (id text, name text, category text, quantity numeric, price numeric)
) WITH ORDINALITY AS l (id, name, category, quantity, price, line_no)

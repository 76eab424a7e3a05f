-- One row per line of an accepted message, with all its keys.
{#- makes: order_lines #}
CREATE TEMP TABLE batch_order_lines ON COMMIT DROP AS
SELECT
    o.topic,
    o.epoch,
    o.kafka_partition,
    o.kafka_offset,
    o.load_src,
    o.order_id,
    o.h_order_pk,
    o.version_dt,
    o.hk_order_item_hashdiff,
    o.h_restaurant_pk,
    l.line_no::integer AS line_no,
    l.id AS product_id,
    uuid_generate_v5(%(namespace)s, l.id) AS h_product_pk,
    l.name AS product_name,
    {#- Only the enriched form's lines have a category. #}
    CASE WHEN o.form = 'enriched' THEN l.category END AS category_name,
    CASE
        WHEN o.form = 'enriched' THEN uuid_generate_v5(%(namespace)s, l.category)
    END AS h_category_pk,
    l.quantity::integer AS quantity,
    trim_scale(l.price) AS price
FROM batch_orders AS o
CROSS JOIN LATERAL ROWS FROM (
    jsonb_to_recordset(o.lines)
    AS (id text, name text, category text, quantity numeric, price numeric)
) WITH ORDINALITY AS l (id, name, category, quantity, price, line_no)

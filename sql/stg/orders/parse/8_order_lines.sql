-- One row per line of an accepted message, with the keys of all it names.
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
    l.line_no,
    p.h_product_pk,
    l.product_name,
    l.category_name,
    c.h_category_pk,
    l.quantity,
    l.price
FROM batch_told_lines AS l
INNER JOIN batch_orders AS o
    USING (topic, epoch, kafka_partition, kafka_offset)
INNER JOIN batch_products AS p USING (product_id)
LEFT JOIN batch_categories AS c USING (category_name)

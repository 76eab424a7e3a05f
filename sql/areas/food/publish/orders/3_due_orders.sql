-- The newest version of each, if it is in this range or has waited since an earlier
-- one; what came on the exchange topic itself is published already.
{#- makes: due_orders #}
CREATE TEMP TABLE due_orders ON COMMIT DROP AS
SELECT
    t.order_id,
    newest.topic,
    newest.epoch,
    newest.kafka_partition,
    newest.kafka_offset,
    newest.h_user_pk,
    newest.h_restaurant_pk,
    newest.status,
    newest.cost,
    newest.payment,
    newest.version_dt,
    newest.hk_order_item_hashdiff,
    h.order_dt
FROM (
    SELECT DISTINCT order_id
    FROM touched_orders
) AS t
INNER JOIN dds.h_order AS h ON t.order_id = h.order_id
{% with order = "t.order_id", columns = [
    "topic", "epoch", "kafka_partition", "kafka_offset", "h_user_pk", "h_restaurant_pk",
    "status", "cost", "payment", "version_dt", "hk_order_item_hashdiff"
] -%}
{% include "areas/food/dds/parts/newest_version.sql" %}
{%- endwith %}
LEFT JOIN touched_orders AS came
    ON
        t.order_id = came.order_id
        AND newest.topic = came.topic
        AND newest.epoch = came.epoch
        AND newest.kafka_partition = came.kafka_partition
        AND newest.kafka_offset = came.kafka_offset
WHERE
    newest.topic <> %(topic)s
    AND (
        came.order_id IS NOT NULL
        OR EXISTS (
            SELECT 1
            FROM ops.order_waits AS w
            WHERE w.order_id = t.order_id
        )
    )

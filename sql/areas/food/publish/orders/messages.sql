-- The enriched form of each order that waits for nothing (contract, section 2).
WITH ready_orders AS (
    SELECT o.*
    FROM due_orders AS o
    WHERE
        NOT EXISTS (
            SELECT 1
            FROM ops.order_waits AS w
            WHERE w.order_id = o.order_id
        )
)

SELECT
    o.order_id::text AS key,
    jsonb_strip_nulls(
        jsonb_build_object(
            'object_id', o.order_id,
            'object_type', 'order',
            'payload', jsonb_build_object(
                'id', o.order_id,
                'date', coalesce(
                    stg.jsonb_or_null(e.message) #>> '{payload,date}',
                    -- STG need not keep a message forever.
                    to_char(o.order_dt, 'YYYY-MM-DD HH24:MI:SS')
                ),
                'cost', o.cost,
                'payment', o.payment,
                'status', o.status,
                'restaurant', jsonb_build_object('id', r.id, 'name', r.name),
                'user', jsonb_build_object(
                    'id', u.id, 'name', u.name, 'login', u.login
                ),
                'products', coalesce(lines.products, '[]'::jsonb)
            )
        )
    )::text AS value
FROM ready_orders AS o
INNER JOIN due_names AS u ON o.h_user_pk = u.key AND u.is_guest
INNER JOIN due_names AS r ON o.h_restaurant_pk = r.key AND NOT r.is_guest
LEFT JOIN (
    SELECT s.*
    FROM (
        SELECT
            topic,
            epoch,
            kafka_partition,
            array_agg(kafka_offset) AS offsets
        FROM ready_orders
        GROUP BY topic, epoch, kafka_partition
    ) AS d
    CROSS JOIN LATERAL stg.messages_at(
        d.topic, d.epoch, d.kafka_partition, d.offsets
    ) AS s
) AS e
    ON
        o.topic = e.topic
        AND o.epoch = e.epoch
        AND o.kafka_partition = e.kafka_partition
        AND o.kafka_offset = e.kafka_offset
LEFT JOIN (
    SELECT
        order_id,
        jsonb_agg(
            jsonb_build_object(
                'id', product_id,
                'price', price,
                'quantity', quantity,
                'name', product_name,
                'category', category_name
            )
            ORDER BY line_no
        ) AS products
    FROM due_lines
    GROUP BY order_id
) AS lines ON o.order_id = lines.order_id
ORDER BY o.order_id

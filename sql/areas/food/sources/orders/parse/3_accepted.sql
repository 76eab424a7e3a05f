-- Keep the orders of accepted messages.
{#- drops from: orders #}
DELETE FROM batch_orders AS o
WHERE
    o.reason IS NOT NULL
    OR (o.topic, o.epoch, o.kafka_partition, o.kafka_offset) IN (
        SELECT
            d.topic,
            d.epoch,
            d.kafka_partition,
            d.kafka_offset
        FROM batch_documents AS d
        WHERE d.was_refused
    )

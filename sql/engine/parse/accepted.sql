-- Keep what the accepted messages say.
{#- drops from: {lead} #}
DELETE FROM batch_{{ lead }} AS o
WHERE
    o.reason IS NOT NULL
    OR (o.topic, o.epoch, o.kafka_partition, o.kafka_offset) IN (
        SELECT
            d.topic,
            d.epoch,
            d.kafka_partition,
            d.kafka_offset
        FROM batch_{{ lead }}_documents AS d
        WHERE d.was_refused
    )

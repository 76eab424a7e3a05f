-- No message waits longer for the marts than was promised (PALATE_FRESHNESS_SECONDS).
{#- #fail #}
SELECT
    e.topic,
    e.epoch,
    e.kafka_partition,
    e.end_offset,
    e.seen_dt
FROM ops.log_ends AS e
WHERE e.seen_dt < %(promised_dt)s
ORDER BY e.seen_dt

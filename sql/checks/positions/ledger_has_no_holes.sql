-- Every position up to a stage's watermark was taken by a batch of the ledger.
{#- #fail #}
WITH taken AS (
    SELECT
        b.stage,
        r.topic,
        r.epoch,
        r.kafka_partition,
        r.from_offset,
        r.to_offset
    FROM ops.batches AS b
    INNER JOIN ops.batch_ranges AS r ON b.batch_id = r.batch_id
    WHERE NOT b.is_repeat
    UNION ALL
    SELECT
        w.stage,
        w.topic,
        w.epoch,
        w.kafka_partition,
        w.next_offset AS from_offset,
        w.next_offset AS to_offset
    FROM ops.watermarks AS w
),

followed AS (
    SELECT
        t.stage,
        t.topic,
        t.epoch,
        t.kafka_partition,
        t.from_offset,
        max(t.to_offset) OVER (
            PARTITION BY t.stage, t.topic, t.epoch, t.kafka_partition
            ORDER BY t.from_offset, t.to_offset
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached
    FROM taken AS t
)

SELECT
    f.stage,
    f.topic,
    f.epoch,
    f.kafka_partition,
    f.reached AS hole_from,
    f.from_offset AS hole_to
FROM followed AS f
WHERE f.from_offset > f.reached
ORDER BY f.stage, f.topic, f.epoch, f.kafka_partition, f.from_offset

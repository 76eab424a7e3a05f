-- Every snapshot has been compared with the standby.
{#- #warn #}
SELECT
    s.generation,
    s.lsn,
    s.commit_dt,
    s.topic,
    s.epoch,
    s.kafka_partition,
    s.kafka_offset
FROM {{ dds }}.snapshot_reads AS s
WHERE
    NOT EXISTS (
        SELECT 1
        FROM ops.comparisons AS c
        WHERE
            c.area = 'flights'
            AND c.is_equal
            AND (c.generation, c.lsn) >= (s.generation, s.lsn)
    )
ORDER BY s.generation, s.lsn

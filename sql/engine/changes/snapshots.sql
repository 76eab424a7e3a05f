-- The accepted rows that a snapshot has read: one of an incremental one has no LSN.
{#- makes: {lead}_snapshots #}
CREATE TEMP TABLE batch_{{ lead }}_snapshots ON COMMIT DROP AS
SELECT DISTINCT ON (b.generation, b.lsn)
    b.topic,
    b.epoch,
    b.kafka_partition,
    b.kafka_offset,
    b.load_src,
    b.generation,
    b.lsn,
    b.commit_dt
FROM batch_{{ lead }} AS b
WHERE b.op = 'r' AND b.lsn IS NOT NULL
ORDER BY b.generation, b.lsn, b.epoch, b.kafka_partition, b.kafka_offset, b.topic

-- The accepted changes that emptied a table.
{#- makes: {lead}_emptied #}
CREATE TEMP TABLE batch_{{ lead }}_emptied ON COMMIT DROP AS
SELECT
    b.topic,
    b.epoch,
    b.kafka_partition,
    b.kafka_offset,
    b.load_src,
    b.form AS table_name,
    b.generation,
    b.lsn,
    b.commit_dt,
    b.tx_id
FROM batch_{{ lead }} AS b
WHERE b.op = 't'

-- Let messages be kept for those stages only that take what brought them.
CREATE OR REPLACE FUNCTION ops.stages_at(
    log_topic text, log_epoch integer, log_partition integer
) RETURNS TABLE (stage text, next_offset bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH expected (stage) AS (
        -- Of an area there may be several, and not each takes every log of it.
        SELECT s.stage FROM ops.stages AS s
        INNER JOIN ops.stages AS b ON b.stage = ANY(s.upstream) AND b.upstream = '{}'
        INNER JOIN ops.watermarks AS w ON b.stage = w.stage
        WHERE w.topic = log_topic
        UNION
        SELECT s.stage FROM ops.stages AS s
        WHERE s.reads_staging AND ops.area_of(log_topic) IS NULL
        UNION
        SELECT 'vault:' || d.name FROM ops.definitions AS d
        WHERE d.kind <> 'mart' AND d.filled_dt IS NULL
            AND coalesce(d.area = ops.area_of(log_topic), TRUE)
    )

    SELECT e.stage, coalesce(w.next_offset, 0)
    FROM expected AS e
    LEFT JOIN ops.watermarks AS w
        ON e.stage = w.stage AND w.topic = log_topic AND w.epoch = log_epoch
        AND w.kafka_partition = log_partition
    UNION ALL
    SELECT w.stage, w.next_offset
    FROM ops.watermarks AS w
    WHERE w.topic = log_topic
        AND w.epoch = log_epoch AND w.kafka_partition = log_partition
        AND (w.stage LIKE '%rebuild:vault' OR w.stage IN (
            SELECT s.stage FROM ops.stages AS s
            WHERE s.upstream = '{}' AND NOT s.reads_staging
        ))
$$;

-- Let refused messages be found by the broker's time, among many.
CREATE FUNCTION stg.refused_between(
    log_topic text,
    log_epoch integer,
    log_partition integer,
    since timestamptz,
    until timestamptz
) RETURNS TABLE (
    topic text, epoch integer, kafka_partition integer, kafka_offset bigint
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p record;
BEGIN
    FOR p IN
        SELECT *
        FROM ops.event_partitions AS e
        WHERE e.dropped_dt IS NULL
            AND (log_topic IS NULL OR e.topic = log_topic)
            AND (log_epoch IS NULL OR e.epoch = log_epoch)
            AND (log_partition IS NULL OR e.kafka_partition = log_partition)
            AND EXISTS (
                SELECT FROM stg.rejected_messages AS m
                WHERE m.topic = e.topic AND m.epoch = e.epoch
                    AND m.kafka_partition = e.kafka_partition
                    AND m.kafka_offset >= e.from_offset
                    AND m.kafka_offset < e.to_offset
            )
    LOOP
        -- Known when it is planned: all others are neither planned nor locked, and
        -- the times say whether their index is worth it.
        RETURN QUERY EXECUTE format(
            'SELECT m.topic, m.epoch, m.kafka_partition, m.kafka_offset'
            ' FROM stg.rejected_messages AS m INNER JOIN stg.order_events_%s AS e'
            ' USING (topic, epoch, kafka_partition, kafka_offset)'
            ' WHERE m.topic = %L AND m.epoch = %s AND m.kafka_partition = %s'
            ' AND m.kafka_offset >= %s AND m.kafka_offset < %s'
            ' AND e.broker_dt >= %L AND e.broker_dt < %L',
            p.event_partition_id, p.topic, p.epoch, p.kafka_partition, p.from_offset,
            p.to_offset, coalesce(since, '-infinity'), coalesce(until, 'infinity')
        );
    END LOOP;
END
$$;
COMMENT ON FUNCTION stg.refused_between(
    text, integer, integer, timestamptz, timestamptz
) IS
'The refused messages, of a log or of all, that the broker got from since on and '
'before until; null is no bound. Those that retention has dropped have no such time.';

-- Let single messages, and numbers of them, be read by their own partitions.
CREATE FUNCTION stg.messages_at(
    log_topic text,
    log_epoch integer,
    log_partition integer,
    offsets bigint[]
) RETURNS SETOF stg.order_events
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint;
    high bigint;
    some_offsets bigint[];
BEGIN
    FOR low, high, some_offsets IN
        SELECT p.from_offset, p.to_offset, array_agg(o.at)
        FROM unnest(offsets) AS o (at)
        CROSS JOIN LATERAL (
            SELECT e.from_offset, e.to_offset, e.dropped_dt
            FROM ops.event_partitions AS e
            WHERE e.topic = log_topic AND e.epoch = log_epoch
                AND e.kafka_partition = log_partition AND e.from_offset <= o.at
            ORDER BY e.from_offset DESC
            LIMIT 1
        ) AS p
        WHERE p.to_offset > o.at AND p.dropped_dt IS NULL
        GROUP BY p.from_offset, p.to_offset
    LOOP
        -- Known when it is planned: all others are neither planned nor locked.
        RETURN QUERY EXECUTE format(
            'SELECT e.* FROM stg.order_events AS e WHERE e.topic = %L AND e.epoch = %s'
            ' AND e.kafka_partition = %s AND e.kafka_offset >= %s'
            ' AND e.kafka_offset < %s AND e.kafka_offset = ANY(%L)',
            log_topic, log_epoch, log_partition, low, high, some_offsets
        );
    END LOOP;
END
$$;
COMMENT ON FUNCTION stg.messages_at(text, integer, integer, bigint[]) IS
'The messages at some offsets of a log. Of many partitions it locks those that the '
'offsets lie in; a join with stg.order_events locks all.';

CREATE FUNCTION stg.number_of_messages(
    log_topic text,
    log_epoch integer,
    log_partition integer,
    first_offset bigint,
    end_offset bigint
) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number bigint;
BEGIN
    EXECUTE format(
        'SELECT count(*) FROM stg.order_events AS e WHERE e.topic = %L AND e.epoch = %s'
        ' AND e.kafka_partition = %s AND e.kafka_offset >= %s AND e.kafka_offset < %s',
        log_topic, log_epoch, log_partition, first_offset, end_offset
    ) INTO number;
    RETURN number;
END
$$;
COMMENT ON FUNCTION stg.number_of_messages(text, integer, integer, bigint, bigint) IS
'How many messages are at offsets first_offset to below end_offset of a log. Of many '
'partitions it locks those of the range.';

-- Let only what reads STG hold back retention; lock fewer tables.
CREATE OR REPLACE FUNCTION ops.stages_at(
    log_topic text, log_epoch integer, log_partition integer
) RETURNS TABLE (stage text, next_offset bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH expected (stage) AS (
        VALUES ('vault')
        UNION ALL
        SELECT 'vault:' || d.name FROM ops.definitions AS d
        WHERE d.kind <> 'mart' AND d.filled_dt IS NULL
    )
    SELECT e.stage, coalesce(w.next_offset, 0)
    FROM expected AS e
    LEFT JOIN ops.watermarks AS w
        ON e.stage = w.stage AND w.topic = log_topic AND w.epoch = log_epoch
        AND w.kafka_partition = log_partition
    UNION ALL
    SELECT w.stage, w.next_offset
    FROM ops.watermarks AS w
    WHERE w.stage IN ('drain', 'rebuild:vault') AND w.topic = log_topic
        AND w.epoch = log_epoch AND w.kafka_partition = log_partition
$$;
COMMENT ON FUNCTION ops.stages_at(text, integer, integer) IS
'How far each stage that reads STG is in a log; 0 where one that has to take it has '
'not begun. All others take their rows from the vault.';

CREATE OR REPLACE FUNCTION stg.why_kept(partition_id bigint, older_than timestamptz)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p ops.event_partitions;
    needed bigint;
    stage text;
    reached bigint;
    number bigint;
    newest timestamptz;
BEGIN
    SELECT * INTO p FROM ops.event_partitions AS e
    WHERE e.event_partition_id = partition_id AND e.dropped_dt IS NULL;
    IF NOT FOUND THEN
        RETURN 'there is no such partition';
    END IF;
    needed := p.to_offset;
    IF EXISTS (
        SELECT FROM ops.topics AS t
        WHERE t.topic = p.topic AND t.epoch > p.epoch
            AND coalesce(t.kafka_partition = p.kafka_partition, TRUE)
    ) THEN  -- nothing more comes into this log
        needed := least(needed, (
            SELECT w.next_offset FROM ops.watermarks AS w
            WHERE w.stage = 'drain' AND w.topic = p.topic AND w.epoch = p.epoch
                AND w.kafka_partition = p.kafka_partition
        ));
    END IF;
    SELECT s.stage, s.next_offset INTO stage, reached
    FROM ops.stages_at(p.topic, p.epoch, p.kafka_partition) AS s
    ORDER BY s.next_offset, s.stage LIMIT 1;
    IF reached < needed THEN
        RETURN format('stage %s stands at offset %s', stage, reached);
    END IF;
    SELECT count(*) INTO number FROM ops.replays AS r
    WHERE r.topic = p.topic AND r.epoch = p.epoch
        AND r.kafka_partition = p.kafka_partition
        AND r.kafka_offset >= p.from_offset AND r.kafka_offset < p.to_offset
        AND r.replay_offset >= (
            SELECT min(s.next_offset) FROM ops.stages_at('replays', 0, 0) AS s
        );
    IF number > 0 THEN
        RETURN format('%s not done yet', CASE number
            WHEN 1 THEN '1 replay that was asked for is'
            ELSE number || ' replays that were asked for are'
        END);
    END IF;
    SELECT count(*) INTO number FROM stg.rejected_messages AS m
    WHERE m.topic = p.topic AND m.epoch = p.epoch
        AND m.kafka_partition = p.kafka_partition
        AND m.kafka_offset >= p.from_offset AND m.kafka_offset < p.to_offset
        AND m.dismissed_dt IS NULL;
    IF number > 0 THEN
        RETURN format('%s neither replayed nor dismissed', CASE number
            WHEN 1 THEN '1 refused message is'
            ELSE number || ' refused messages are'
        END);
    END IF;
    IF older_than IS NOT NULL THEN
        EXECUTE format(
            'SELECT e.broker_dt FROM stg.order_events_%s AS e WHERE e.broker_dt >= $1'
            ' LIMIT 1', partition_id
        ) INTO newest USING older_than;
        IF newest IS NOT NULL THEN
            RETURN format('it has messages of %s UTC',
                to_char(newest AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'));
        END IF;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION stg.drop_partition(
    partition_id bigint, older_than timestamptz, who text
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reason text;
    size bigint;
    newest timestamptz;
BEGIN
    IF older_than IS NULL OR older_than > now() - interval '1 day' OR who IS NULL THEN
        RAISE EXCEPTION 'What is younger than a day is not dropped: %.', older_than
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (
        SELECT FROM ops.event_partitions AS p
        INNER JOIN ops.event_partitions AS e
            ON p.topic = e.topic AND p.epoch = e.epoch
            AND p.kafka_partition = e.kafka_partition
        WHERE p.event_partition_id = partition_id
            AND e.from_offset < p.from_offset AND e.dropped_dt IS NULL
    ) THEN
        RETURN 'an older partition of its log is kept';
    END IF;
    reason := stg.why_kept(partition_id, older_than);
    IF reason IS NOT NULL THEN
        RETURN reason;
    END IF;
    -- No new table may ask for the history meanwhile, and no stage be in it.
    PERFORM pg_advisory_xact_lock(hashtextextended('palate migrate', 0));
    -- Whoever reads or fills a partition has locked the whole table first; without ONLY
    -- this would lock each partition too.
    LOCK TABLE ONLY stg.order_events IN ACCESS EXCLUSIVE MODE;
    reason := stg.why_kept(partition_id, NULL);
    IF reason IS NOT NULL THEN
        RETURN reason;
    END IF;
    size := pg_total_relation_size(format('stg.order_events_%s', partition_id));
    EXECUTE format(
        'SELECT e.broker_dt FROM stg.order_events_%s AS e ORDER BY e.topic DESC,'
        ' e.epoch DESC, e.kafka_partition DESC, e.kafka_offset DESC LIMIT 1',
        partition_id
    ) INTO newest;
    UPDATE ops.event_partitions AS e
    SET dropped_dt = now(), dropped_by = who, dropped_bytes = size,
        last_broker_dt = newest
    WHERE e.event_partition_id = partition_id;
    EXECUTE format('DROP TABLE stg.order_events_%s', partition_id);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION ops.prune(before timestamptz)
RETURNS TABLE (pruned_table text, pruned_rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF before IS NULL OR before > now() - interval '7 days' THEN
        RAISE EXCEPTION 'What is younger than 7 days is not pruned: %.', before
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    pruned_table := 'ops.batches';
    DELETE FROM ops.batches AS b
    USING (
        -- The newest of each stage stay: the alarm for refused messages looks back.
        SELECT s.stage, (
            SELECT n.batch_id FROM ops.batches AS n WHERE n.stage = s.stage
            ORDER BY n.batch_id DESC OFFSET 999 LIMIT 1
        ) AS batch_id
        FROM (SELECT DISTINCT stage FROM ops.batches) AS s
    ) AS oldest_kept
    WHERE b.stage = oldest_kept.stage AND b.batch_id < oldest_kept.batch_id
        AND b.committed_dt < before;
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
    pruned_table := 'ops.stage_runs';
    DELETE FROM ops.stage_runs AS r
    USING (
        SELECT n.stage, max(n.stage_run_id) AS stage_run_id
        FROM ops.stage_runs AS n GROUP BY n.stage
    ) AS newest
    WHERE r.stage = newest.stage AND r.stage_run_id < newest.stage_run_id
        AND r.started_dt < before
        AND NOT EXISTS (
            SELECT FROM ops.batches AS b WHERE b.stage_run_id = r.stage_run_id
        );
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
    pruned_table := 'ops.replays';
    DELETE FROM ops.replays AS r
    WHERE r.asked_dt < before
        AND r.replay_offset < (
            SELECT min(coalesce(w.next_offset, 0))
            FROM (
                VALUES ('vault'), ('lookup')
                UNION
                -- What has not moved since then is switched off, or removed.
                SELECT m.stage FROM ops.watermarks AS m
                WHERE m.stage LIKE 'mart:%' OR m.stage LIKE 'publish:%'
                GROUP BY m.stage HAVING max(m.moved_dt) >= before
            ) AS s (stage)
            LEFT JOIN ops.watermarks AS w
                ON w.stage = s.stage AND w.topic = 'replays'
                AND w.epoch = 0 AND w.kafka_partition = 0
        );
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
    pruned_table := 'ops.reloads';
    DELETE FROM ops.reloads AS r WHERE r.planned_dt < before;
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
    pruned_table := 'ops.check_results';
    DELETE FROM ops.check_results AS c WHERE c.checked_dt < before;
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
    pruned_table := 'ops.rebuilds';
    DELETE FROM ops.rebuilds AS r WHERE r.finished_dt < before;
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
    pruned_table := 'ops.incidents';
    DELETE FROM ops.incidents AS i WHERE i.ended_dt < before;
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
END
$$;

CREATE FUNCTION stg.messages(
    log_topic text,
    log_epoch integer,
    log_partition integer,
    first_offset bigint,
    end_offset bigint
) RETURNS SETOF stg.order_events
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Known when it is planned: all other partitions are neither planned nor locked.
    RETURN QUERY EXECUTE format(
        'SELECT e.* FROM stg.order_events AS e WHERE e.topic = %L AND e.epoch = %s'
        ' AND e.kafka_partition = %s AND e.kafka_offset >= %s AND e.kafka_offset < %s',
        log_topic, log_epoch, log_partition, first_offset, end_offset
    );
END
$$;
COMMENT ON FUNCTION stg.messages(text, integer, integer, bigint, bigint) IS
'The messages at offsets first_offset to below end_offset of a log. Of many partitions '
'it locks those of the range; a join with stg.order_events locks all.';

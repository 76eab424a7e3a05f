-- Keep how far behind each log was, minute by minute.
CREATE TABLE ops.log_minutes (
    minute_dt timestamptz NOT NULL,
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    looked_dt timestamptz NOT NULL,
    end_offset bigint NOT NULL,
    staged_offset bigint NOT NULL,
    mart_offset bigint NOT NULL,
    max_lag bigint NOT NULL,
    max_waiting_seconds double precision NOT NULL,
    PRIMARY KEY (minute_dt, topic, epoch, kafka_partition)
) WITH (fillfactor = 50);  -- a row changes with each look of its minute
COMMENT ON TABLE ops.log_minutes IS
'What the watch saw of each log in a minute: positions as of its last look, lag and '
'waiting as of the worst one. No row: it did not see the log, or did not run.';
COMMENT ON COLUMN ops.log_minutes.end_offset IS
'Where the broker''s log ended.';
COMMENT ON COLUMN ops.log_minutes.mart_offset IS
'Where the mart was that was furthest behind.';
COMMENT ON COLUMN ops.log_minutes.max_waiting_seconds IS
'How long the oldest message had waited for that mart; 0 if none waited.';

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
            FROM ops.stages AS s
            LEFT JOIN ops.watermarks AS w
                ON w.stage = s.stage AND w.topic = r.feed
                AND w.epoch = 0 AND w.kafka_partition = 0
            WHERE s.area = ops.area_of(r.feed) AND s.upstream <> '{}' AND (
                NOT s.is_optional
                -- What has not moved since then is switched off.
                OR EXISTS (
                    SELECT FROM ops.watermarks AS m
                    WHERE m.stage = s.stage AND m.moved_dt >= before
                )
            )
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
    pruned_table := 'ops.log_minutes';
    -- A row per log and minute: nobody looks at minutes that old.
    DELETE FROM ops.log_minutes AS m
    WHERE m.minute_dt < greatest(before, now() - interval '8 days');
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
END
$$;

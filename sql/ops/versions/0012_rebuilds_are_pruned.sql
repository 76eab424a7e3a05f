-- Forget the rows that rebuilds have shown, which may be personal data; prune rebuilds.
UPDATE ops.rebuild_tables SET examples = '[]'
WHERE examples <> '[]';
UPDATE ops.rebuilds SET report = ''
WHERE report <> '';
COMMENT ON COLUMN ops.rebuild_tables.examples IS
'Some of the rows that differ: what is wrong, the key, and the names of columns.';

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
            SELECT min(s.next_offset) FROM ops.stages_at('replays', 0, 0) AS s
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

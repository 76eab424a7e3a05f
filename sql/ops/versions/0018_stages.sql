-- Let the database know which stages there are. `palate migrate` writes them here, from
-- the pipelines; whoever asks which stages hold something back reads them.
CREATE TABLE ops.stages (
    stage text COLLATE "C" PRIMARY KEY,
    area text COLLATE "C" NOT NULL,
    upstream text[] NOT NULL,
    reads_staging boolean NOT NULL,
    is_optional boolean NOT NULL
);
COMMENT ON TABLE ops.stages IS
'The stages that keep watermarks, by their names in the ledger: whose positions each '
'takes, whether it needs the messages in STG, whether it may be switched off.';

-- What must hold before `palate migrate` has come so far.
INSERT INTO ops.stages (stage, area, upstream, reads_staging, is_optional)
VALUES
('vault', 'food', '{drain,dictionaries,replays}', TRUE, FALSE),
('lookup', 'food', '{vault}', FALSE, FALSE);

CREATE OR REPLACE FUNCTION ops.stages_at(
    log_topic text, log_epoch integer, log_partition integer
) RETURNS TABLE (stage text, next_offset bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH expected (stage) AS (
        SELECT s.stage FROM ops.stages AS s WHERE s.reads_staging
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
                SELECT e.stage FROM ops.stages AS e
                WHERE NOT e.is_optional AND e.upstream <> '{}'
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

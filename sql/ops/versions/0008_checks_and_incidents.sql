-- Keep what checks found, what is an incident and was told, and what waits since when.
CREATE TABLE ops.check_results (
    check_result_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    check_name text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    severity text NOT NULL CHECK (severity IN ('fail', 'warn')),
    outcome text NOT NULL CHECK (outcome IN ('passed', 'found', 'skipped')),
    found bigint NOT NULL,
    examples jsonb NOT NULL,
    note text NOT NULL,
    seconds numeric NOT NULL,
    checked_dt timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX check_results_run ON ops.check_results (dag_id, run_id);
COMMENT ON TABLE ops.check_results IS
'One row per check and thing checked: how many rows break its rule, and some of them. '
'Skipped is what could not be compared at that moment; the note says why.';

CREATE TABLE ops.incidents (
    incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    message text NOT NULL,
    began_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_dt timestamptz,
    told_dt timestamptz,
    end_told_dt timestamptz,
    CHECK (end_told_dt IS NULL OR num_nulls(ended_dt, told_dt) = 0)
);
CREATE UNIQUE INDEX incidents_one_open ON ops.incidents (kind, subject)
WHERE ended_dt IS NULL;
CREATE INDEX incidents_to_tell ON ops.incidents (incident_id)
WHERE told_dt IS NULL OR (ended_dt IS NOT NULL AND end_told_dt IS NULL);
COMMENT ON TABLE ops.incidents IS
'What somebody has to know of: since when, until when, and when the alarm and the '
'all-clear were told. One row per incident, however often it is seen.';

-- Whoever looked at them then, has been told.
INSERT INTO ops.incidents (
    kind, subject, message, began_dt, ended_dt, told_dt, end_told_dt
)
SELECT
    'refused_share' AS kind,
    'vault' AS subject,
    message,
    began_dt,
    ended_dt,
    began_dt AS told_dt,
    ended_dt AS end_told_dt
FROM ops.refused_incidents
ORDER BY refused_incident_id;
DROP TABLE ops.refused_incidents;

CREATE TABLE ops.log_ends (
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    end_offset bigint NOT NULL,
    seen_dt timestamptz NOT NULL,
    PRIMARY KEY (topic, epoch, kafka_partition, end_offset)
);
COMMENT ON TABLE ops.log_ends IS
'Where each log ended when the watch looked, while not every mart has reached that '
'end. How long messages have waited follows from it, whatever their times say.';

CREATE TABLE ops.watch (
    looked_dt timestamptz NOT NULL
);
CREATE UNIQUE INDEX watch_one_row ON ops.watch ((TRUE));
COMMENT ON TABLE ops.watch IS
'When the watch last saw the broker and the ledger. No row: it never ran.';

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
    pruned_table := 'ops.incidents';
    DELETE FROM ops.incidents AS i WHERE i.ended_dt < before;
    GET DIAGNOSTICS pruned_rows = ROW_COUNT;
    RETURN NEXT;
END
$$;

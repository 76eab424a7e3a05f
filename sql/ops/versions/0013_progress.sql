-- Make the tables that say how far a reload and a recount are.
CREATE TABLE ops.reload_stages (
    reload_id bigint NOT NULL REFERENCES ops.reloads ON DELETE CASCADE,
    stage text COLLATE "C" NOT NULL,
    begun_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_dt timestamptz,
    PRIMARY KEY (reload_id, stage)
);
COMMENT ON TABLE ops.reload_stages IS
'Which stages a reload or a backfill has begun and finished. An attempt that finds '
'its stage unfinished goes on with it; one that finds it finished begins it anew.';

CREATE TABLE ops.reload_batches (
    batch_id bigint PRIMARY KEY REFERENCES ops.batches ON DELETE CASCADE,
    reload_id bigint NOT NULL REFERENCES ops.reloads ON DELETE CASCADE
);
CREATE INDEX reload_batches_reload ON ops.reload_batches (reload_id);
COMMENT ON TABLE ops.reload_batches IS
'The batches of the ledger in which a reload or a backfill has done its work.';

CREATE TABLE ops.batch_guests (
    batch_id bigint PRIMARY KEY REFERENCES ops.batches ON DELETE CASCADE,
    done_until uuid NOT NULL
);
COMMENT ON TABLE ops.batch_guests IS
'A recount takes guests in the order of their keys. Up to this one, all are done.';

CREATE VIEW ops.v_reload_progress AS
SELECT
    l.reload_id,
    l.dag_id,
    l.run_id,
    l.from_dt,
    l.to_dt,
    s.stage,
    s.begun_dt,
    s.finished_dt,
    count(done.batch_id) AS batches,
    coalesce(sum(done.positions), 0)::bigint AS positions,
    coalesce(sum(done.guests), 0)::bigint AS guests,
    max(done.committed_dt) AS last_batch_dt
FROM ops.reloads AS l
INNER JOIN ops.reload_stages AS s ON l.reload_id = s.reload_id
LEFT JOIN LATERAL (
    SELECT
        b.batch_id,
        b.committed_dt,
        (b.counts ->> 'guests')::bigint AS guests,
        (
            SELECT sum(r.to_offset - r.from_offset)
            FROM ops.batch_ranges AS r
            WHERE r.batch_id = b.batch_id
        ) AS positions
    FROM ops.reload_batches AS d
    INNER JOIN ops.batches AS b ON d.batch_id = b.batch_id
    WHERE d.reload_id = l.reload_id AND b.stage = s.stage
) AS done ON TRUE
GROUP BY l.reload_id, s.stage, s.begun_dt, s.finished_dt;
COMMENT ON VIEW ops.v_reload_progress IS
'How far each stage of a reload or a backfill is: positions for messages and vault, '
'guests for a mart. finished_dt is null while there is work left.';

-- Make the tables that say what was reloaded, and what was found.
CREATE TABLE ops.reloads (
    reload_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    from_dt timestamptz NOT NULL,
    to_dt timestamptz NOT NULL CHECK (to_dt > from_dt),
    source text NOT NULL CHECK (source IN ('auto', 'kafka', 'stg')),
    planned_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_dt timestamptz,
    report text,
    UNIQUE (dag_id, run_id)
);
COMMENT ON TABLE ops.reloads IS
'Which broker times a run of orders_history_reload, or a backfill, has looked at '
'again. report is the markdown that a person reads.';

CREATE TABLE ops.reload_ranges (
    reload_id bigint NOT NULL REFERENCES ops.reloads ON DELETE CASCADE,
    is_compared boolean NOT NULL,
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL CHECK (to_offset > from_offset),
    PRIMARY KEY (
        reload_id, is_compared, topic, epoch, kafka_partition, from_offset
    )
);
COMMENT ON TABLE ops.reload_ranges IS
'The positions that a reload''s times mean: is_compared for those it reads from the '
'broker again, else those whose vault rows and counters it looks at.';

CREATE TABLE ops.reload_layers (
    reload_id bigint NOT NULL REFERENCES ops.reloads ON DELETE CASCADE,
    layer text COLLATE "C" NOT NULL,
    compared bigint NOT NULL,
    healed bigint NOT NULL,
    differing bigint NOT NULL,
    refused bigint NOT NULL,
    seconds numeric NOT NULL,
    counts jsonb NOT NULL,
    examples jsonb NOT NULL,
    finished_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (reload_id, layer)
);
COMMENT ON TABLE ops.reload_layers IS
'What a reload found in each layer: rows compared, rows that were missing or wrong '
'and were put right, and rows that differ and were left as they are.';

-- Make the tables of positions, of the ledger, and of staging.
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE SCHEMA stg;
CREATE SCHEMA dds;
CREATE SCHEMA cdm;

CREATE TABLE ops.topics (
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL CHECK (epoch >= 0),
    topic_id uuid,
    first_seen_dt timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, epoch)
);
COMMENT ON TABLE ops.topics IS
'Which Kafka topic id each epoch of a topic had: a topic that was deleted and '
'created anew starts at offset 0 again, and only its id tells.';

CREATE TABLE ops.watermarks (
    stage text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    moved_dt timestamptz NOT NULL,
    first_offset bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (stage, topic, epoch, kafka_partition)
);
COMMENT ON TABLE ops.watermarks IS
'How far each stage is: every offset from first_offset to below next_offset is '
'done. Moved in the transaction that writes the rows, never apart from it.';

CREATE TABLE ops.stage_runs (
    stage_run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage text COLLATE "C" NOT NULL,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    task_id text NOT NULL,
    map_index integer NOT NULL,
    try_number integer NOT NULL,
    started_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_dt timestamptz,
    outcome text NOT NULL DEFAULT 'running'
    CHECK (outcome IN ('running', 'done', 'nothing', 'failed')),
    error text
);
CREATE INDEX stage_runs_task ON ops.stage_runs (dag_id, run_id, task_id, map_index);
COMMENT ON TABLE ops.stage_runs IS
'One row per attempt of a task at a stage. An attempt that was killed stays '
'running; what it committed is in ops.batches.';

CREATE TABLE ops.batches (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage_run_id bigint NOT NULL REFERENCES ops.stage_runs,
    stage text COLLATE "C" NOT NULL,
    is_repeat boolean NOT NULL,
    load_dt timestamptz NOT NULL,
    committed_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    counts jsonb NOT NULL
);
CREATE INDEX batches_stage_run ON ops.batches (stage_run_id);
COMMENT ON TABLE ops.batches IS
'The ledger: one row per committed transaction of a stage, written in it.';

CREATE TABLE ops.batch_ranges (
    batch_id bigint NOT NULL REFERENCES ops.batches ON DELETE CASCADE,
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL CHECK (to_offset > from_offset),
    PRIMARY KEY (batch_id, topic, epoch, kafka_partition)
);
CREATE INDEX batch_ranges_position
ON ops.batch_ranges (topic, epoch, kafka_partition, from_offset);
COMMENT ON TABLE ops.batch_ranges IS
'Which positions a batch took: from_offset is taken, to_offset is not.';

CREATE TABLE ops.definitions (
    kind text NOT NULL,
    name text NOT NULL,
    definition jsonb NOT NULL,
    created_dt timestamptz NOT NULL DEFAULT now(),
    filled_dt timestamptz,
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE ops.definitions IS
'What each table was made from. A definition that would change what a table '
'means is refused. filled_dt is null while a new table of the vault is still being '
'filled from the history.';

CREATE TABLE ops.dictionary_lookups (
    id text COLLATE "C" PRIMARY KEY,
    first_staged_dt timestamptz NOT NULL,
    tried_cnt integer NOT NULL,
    tried_dt timestamptz NOT NULL,
    next_try_dt timestamptz NOT NULL,
    problem text NOT NULL
);
CREATE INDEX dictionary_lookups_due ON ops.dictionary_lookups (next_try_dt);
COMMENT ON TABLE ops.dictionary_lookups IS
'Ids that orders name and the dictionary does not know yet, and when each is '
'asked for again.';

CREATE TABLE stg.order_events (
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    broker_dt timestamptz NOT NULL,
    message bytea,
    kafka_key bytea,
    headers bytea,
    staged_dt timestamptz NOT NULL,
    PRIMARY KEY (topic, epoch, kafka_partition, kafka_offset)
);
COMMENT ON TABLE stg.order_events IS
'Every message as it came, one row per position. A message without a value has '
'NULL. headers is a JSON list of [name, value in base64 or null].';
ALTER TABLE stg.order_events ALTER COLUMN message SET COMPRESSION lz4;

CREATE TABLE stg.rejected_messages (
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    rejected_dt timestamptz NOT NULL,
    PRIMARY KEY (topic, epoch, kafka_partition, kafka_offset)
);
CREATE INDEX rejected_messages_reason ON stg.rejected_messages (reason);
COMMENT ON TABLE stg.rejected_messages IS
'Positions whose message is no usable order, and why.';

CREATE TABLE stg.dictionary_entries (
    id text COLLATE "C" NOT NULL,
    version_dt timestamp NOT NULL,
    entry jsonb NOT NULL,
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    staged_dt timestamptz NOT NULL,
    PRIMARY KEY (topic, epoch, kafka_partition, kafka_offset)
);
CREATE INDEX dictionary_entries_version ON stg.dictionary_entries (id, version_dt);
COMMENT ON TABLE stg.dictionary_entries IS
'Every version of a dictionary entry that was seen, once. They are the messages '
'of a feed of their own, numbered as they are staged.';

CREATE FUNCTION stg.jsonb_or_null(message bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN convert_from(message, 'UTF8')::jsonb;
EXCEPTION
    -- Only what the bytes themselves can cause; a full disk is no refusal.
    WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
        RETURN NULL;
END
$$;
COMMENT ON FUNCTION stg.jsonb_or_null(bytea) IS
'The value as jsonb, or NULL where jsonb does not take the bytes.';

CREATE FUNCTION stg.has_header(headers bytea, name text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT AS $$
SELECT coalesce(bool_or(header -> 0 = to_jsonb(name)), FALSE)
FROM jsonb_array_elements(stg.jsonb_or_null(headers)) AS header
$$;
COMMENT ON FUNCTION stg.has_header(bytea, text) IS
'Whether a message carried a header of this name.';

-- What is known of a source whose changes are captured: how far its clock is, since
-- when it is held, what outranks all before, and what comparisons with it have found.
CREATE TABLE ops.clocks (
    topic text COLLATE "C" PRIMARY KEY,
    epoch integer NOT NULL,
    kafka_offset bigint NOT NULL,
    lsn bigint NOT NULL,
    broker_dt timestamptz NOT NULL,
    held_epoch integer,
    held_offset bigint,
    held_lsn bigint,
    held_dt timestamptz
);
COMMENT ON TABLE ops.clocks IS
'The greatest LSN of a topic whose changes ascend, and the message that has it.';
COMMENT ON COLUMN ops.clocks.held_dt IS
'The broker time of the change that went back.';
COMMENT ON COLUMN ops.clocks.held_lsn IS
'The LSN of a change that went back: the vault takes nothing more of its source.';

CREATE TABLE ops.generations (
    topic text COLLATE "C",
    epoch integer,
    kafka_partition integer,
    from_offset bigint,
    generation integer,
    accepted_dt timestamptz NOT NULL DEFAULT now(),
    accepted_by text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (topic, epoch, kafka_partition, generation)
);
COMMENT ON TABLE ops.generations IS
'From which position on messages outrank all before: their source began anew.';

CREATE TABLE ops.comparisons (
    comparison_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    area text NOT NULL,
    generation integer NOT NULL,
    lsn bigint NOT NULL,
    began_dt timestamptz NOT NULL,
    ended_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    is_equal boolean NOT NULL,
    counts jsonb NOT NULL
);
COMMENT ON TABLE ops.comparisons IS
'Each comparison of the vault with its source, as the source was at an LSN.';
COMMENT ON COLUMN ops.comparisons.is_equal IS
'Whether nothing differed at its end: by then differences may have been healed.';

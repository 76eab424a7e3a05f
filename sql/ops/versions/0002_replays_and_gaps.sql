-- Make what refused messages and lost offsets need for their way back.
CREATE TABLE ops.replays (
    replay_offset bigint PRIMARY KEY CHECK (replay_offset >= 0),
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    asked_dt timestamptz NOT NULL
);
CREATE INDEX replays_position
ON ops.replays (topic, epoch, kafka_partition, kafka_offset);
COMMENT ON TABLE ops.replays IS
'Refused positions that are to be judged again. They are a feed of their own, '
'numbered as they are asked for, which vault and marts take like any other log.';

ALTER TABLE stg.rejected_messages
ADD COLUMN dismissed_dt timestamptz,
ADD COLUMN dismissed_by text,
ADD COLUMN dismissed_why text,
ADD CONSTRAINT rejected_messages_dismissed
CHECK (num_nonnulls(dismissed_dt, dismissed_by, dismissed_why) IN (0, 3));
COMMENT ON COLUMN stg.rejected_messages.dismissed_dt IS
'When a person decided that the message is not missed; null if nobody has.';

CREATE TABLE ops.position_gaps (
    gap_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL CHECK (to_offset > from_offset),
    found_dt timestamptz NOT NULL DEFAULT now(),
    accepted_dt timestamptz,
    accepted_by text,
    accepted_why text,
    CHECK (num_nonnulls(accepted_dt, accepted_by, accepted_why) IN (0, 3)),
    UNIQUE (topic, epoch, kafka_partition, from_offset)
);
COMMENT ON TABLE ops.position_gaps IS
'Offsets that were gone from the broker before they were read: from_offset is '
'gone, to_offset is not. The drain stands before a gap until a person accepts it.';

-- Attempts that were killed stay running; whoever holds their stage finds them.
CREATE INDEX stage_runs_running ON ops.stage_runs (stage) WHERE outcome = 'running';

-- Keep what tells whether a broker's log is still the one that was read.
ALTER TABLE ops.topics
ADD COLUMN cluster_id text,
ADD COLUMN kafka_partition integer CHECK (kafka_partition >= 0),
ADD COLUMN accepted_by text,
ADD COLUMN accepted_why text,
ADD CONSTRAINT topics_accepted
CHECK (num_nonnulls(accepted_by, accepted_why) IN (0, 2));
COMMENT ON TABLE ops.topics IS
'The epochs of each topic: one for each Kafka topic id, since a topic that was deleted '
'and created anew, or that another cluster has, starts at offset 0 again; and one for '
'each partition that lost the tail of its log.';
COMMENT ON COLUMN ops.topics.cluster_id IS
'The cluster that had the topic; null until it is seen.';
COMMENT ON COLUMN ops.topics.kafka_partition IS
'The partition that lost its tail; null for an epoch of the whole topic.';
COMMENT ON COLUMN ops.topics.accepted_by IS
'Who let the epoch begin; null where nobody had to.';

CREATE TABLE ops.logs (
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    first_offset bigint NOT NULL DEFAULT 0 CHECK (first_offset >= 0),
    last_offset bigint,
    last_leader_epoch integer,
    last_digest bytea,
    PRIMARY KEY (topic, epoch, kafka_partition)
);
COMMENT ON TABLE ops.logs IS
'What tells each log apart from another one with the same offsets. last_* are of the '
'last record that was staged: before anything is read on, it has to be there still.';
COMMENT ON COLUMN ops.logs.first_offset IS
'Where reading begins. A log without a row here begins at 0.';
COMMENT ON COLUMN ops.logs.last_digest IS
'SHA-256 of value, key, headers and broker time; null if nothing can be proven.';

CREATE OR REPLACE FUNCTION stg.make_room(
    log_topic text,
    log_epoch integer,
    log_partition integer,
    first_offset bigint,
    end_offset bigint,
    partition_size bigint
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reached bigint := first_offset;
    made integer := 0;
    is_locked boolean := FALSE;
    covered bigint;
    low bigint;
    high bigint;
    id bigint;
    done bigint;
BEGIN
    IF NOT coalesce(
        log_topic <> '' AND log_epoch >= 0 AND log_partition >= 0
        AND first_offset >= 0 AND partition_size > 0,
        FALSE
    ) OR end_offset IS NULL THEN
        RAISE EXCEPTION 'There is no log % % %, or no room from % to % in partitions '
            'of % positions.', log_topic, log_epoch, log_partition, first_offset,
            end_offset, partition_size USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- A former epoch goes on where its cluster is failed back to. Its last partition
    -- may have been dropped before it was full: then it ends where the drain stands.
    SELECT w.next_offset INTO done FROM ops.watermarks AS w
    WHERE w.stage = 'drain' AND w.topic = log_topic AND w.epoch = log_epoch
        AND w.kafka_partition = log_partition;
    UPDATE ops.event_partitions AS p SET to_offset = done
    WHERE p.topic = log_topic AND p.epoch = log_epoch
        AND p.kafka_partition = log_partition AND p.dropped_dt IS NOT NULL
        AND p.from_offset < done AND p.to_offset > done AND first_offset >= done;
    DELETE FROM ops.event_partitions AS p
    WHERE p.topic = log_topic AND p.epoch = log_epoch
        AND p.kafka_partition = log_partition AND p.dropped_dt IS NOT NULL
        AND p.from_offset >= done AND first_offset >= done;
    WHILE reached < end_offset LOOP
        SELECT p.to_offset INTO covered FROM ops.event_partitions AS p
        WHERE p.topic = log_topic AND p.epoch = log_epoch
            AND p.kafka_partition = log_partition
            AND p.from_offset <= reached AND p.to_offset > reached;
        IF FOUND THEN  -- also a dropped one: what is gone gets no room again
            reached := covered;
        ELSIF NOT is_locked THEN
            -- Whoever makes room meanwhile commits first; then this looks again.
            PERFORM pg_advisory_xact_lock(hashtextextended('palate make_room', 0));
            is_locked := TRUE;
        ELSE
            IF made >= 1000 THEN
                RAISE EXCEPTION 'Offsets % to % would need more than 1000 partitions.',
                    first_offset, end_offset - 1
                    USING ERRCODE = 'program_limit_exceeded';
            END IF;
            -- Neighbours may have had another size.
            SELECT max(p.to_offset) FILTER (WHERE p.to_offset <= reached),
                min(p.from_offset) FILTER (WHERE p.from_offset > reached)
            INTO low, high FROM ops.event_partitions AS p
            WHERE p.topic = log_topic AND p.epoch = log_epoch
                AND p.kafka_partition = log_partition;
            covered := reached - reached % partition_size + partition_size;
            low := greatest(covered - partition_size, low);
            high := least(covered, high);
            INSERT INTO ops.event_partitions (
                topic, epoch, kafka_partition, from_offset, to_offset
            ) VALUES (log_topic, log_epoch, log_partition, low, high)
            RETURNING event_partition_id INTO id;
            -- To attach locks out no reader and no COPY; CREATE ... PARTITION OF would.
            EXECUTE format(
                'CREATE TABLE stg.order_events_%s'
                ' (LIKE stg.order_events INCLUDING ALL)', id
            );
            EXECUTE format(
                'ALTER TABLE stg.order_events ATTACH PARTITION stg.order_events_%s'
                ' FOR VALUES FROM (%L, %s, %s, %s) TO (%L, %s, %s, %s)',
                id, log_topic, log_epoch, log_partition, low,
                log_topic, log_epoch, log_partition, high
            );
            EXECUTE format(
                'COMMENT ON TABLE stg.order_events_%s IS %L', id,
                format('Offsets %s to %s of %s[%s], epoch %s.', low, high - 1,
                    log_topic, log_partition, log_epoch)
            );
            made := made + 1;
            reached := high;
        END IF;
    END LOOP;
    RETURN made;
END
$$;

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
        RETURN format('%s replays that were asked for are not done', number);
    END IF;
    SELECT count(*) INTO number FROM stg.rejected_messages AS m
    WHERE m.topic = p.topic AND m.epoch = p.epoch
        AND m.kafka_partition = p.kafka_partition
        AND m.kafka_offset >= p.from_offset AND m.kafka_offset < p.to_offset
        AND m.dismissed_dt IS NULL;
    IF number > 0 THEN
        RETURN format('%s refused messages are neither replayed nor dismissed', number);
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

-- Cut STG into partitions by position, and bound what STG and ops keep.
CREATE TABLE ops.event_partitions (
    event_partition_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    from_offset bigint NOT NULL CHECK (from_offset >= 0),
    to_offset bigint NOT NULL CHECK (to_offset > from_offset),
    made_dt timestamptz NOT NULL DEFAULT now(),
    dropped_dt timestamptz,
    dropped_by text,
    dropped_bytes bigint,
    last_broker_dt timestamptz,
    CHECK (num_nonnulls(dropped_dt, dropped_by, dropped_bytes) IN (0, 3)),
    UNIQUE (topic, epoch, kafka_partition, from_offset)
);
COMMENT ON TABLE ops.event_partitions IS
'The partitions of stg.order_events, each stg.order_events_<id>: from_offset is in '
'it, to_offset is not. A partition that retention has dropped keeps its row.';
COMMENT ON COLUMN ops.event_partitions.last_broker_dt IS
'The broker time of the last message of a dropped partition; null if it had none.';

ALTER TABLE stg.order_events RENAME TO order_events_unpartitioned;
ALTER TABLE stg.order_events_unpartitioned
RENAME CONSTRAINT order_events_pkey TO order_events_unpartitioned_pkey;

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
    CONSTRAINT order_events_pkey
    PRIMARY KEY (topic, epoch, kafka_partition, kafka_offset)
) PARTITION BY RANGE (topic, epoch, kafka_partition, kafka_offset);
ALTER TABLE stg.order_events ALTER COLUMN message SET COMPRESSION lz4;
COMMENT ON TABLE stg.order_events IS
'Every message as it came, one row per position. A message without a value has '
'NULL. headers is a JSON list of [name, value in base64 or null].';
-- Small, and free for COPY: it finds the pages of a time in partitions of millions.
CREATE INDEX order_events_broker_dt ON stg.order_events USING brin (broker_dt);

CREATE FUNCTION stg.make_room(
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
COMMENT ON FUNCTION stg.make_room(text, integer, integer, bigint, bigint, bigint) IS
'Make the partitions that offsets first_offset to below end_offset of a log need; '
'return how many that were. What retention has dropped gets no room again.';

CREATE FUNCTION ops.stages_at(
    log_topic text, log_epoch integer, log_partition integer
) RETURNS TABLE (stage text, next_offset bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH expected (stage) AS (
        VALUES ('vault'), ('lookup')
        UNION ALL
        SELECT 'mart:' || d.name FROM ops.definitions AS d WHERE d.kind = 'mart'
        UNION ALL
        SELECT 'vault:' || d.name FROM ops.definitions AS d
        WHERE d.kind <> 'mart' AND d.filled_dt IS NULL
    )
    SELECT coalesce(w.stage, e.stage), coalesce(w.next_offset, 0)
    FROM expected AS e
    FULL JOIN (
        SELECT s.stage, s.next_offset
        FROM ops.watermarks AS s
        WHERE s.topic = log_topic AND s.epoch = log_epoch
            AND s.kafka_partition = log_partition
    ) AS w ON e.stage = w.stage
    WHERE e.stage IS NOT NULL OR w.stage NOT LIKE 'vault:%'  -- filled: it is done
$$;
COMMENT ON FUNCTION ops.stages_at(text, integer, integer) IS
'How far each stage is in a log; 0 where a stage that has to take it has not begun.';

CREATE FUNCTION stg.why_kept(partition_id bigint, older_than timestamptz)
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
        SELECT FROM ops.topics AS t WHERE t.topic = p.topic AND t.epoch > p.epoch
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
COMMENT ON FUNCTION stg.why_kept(bigint, timestamptz) IS
'Why a partition may not be dropped, as half a sentence; null if it may be, once the '
'older ones of its log are. Without older_than its age is not looked at.';

CREATE FUNCTION stg.drop_partition(
    partition_id bigint, older_than timestamptz, who text
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reason text;
    size bigint;
    newest timestamptz;
BEGIN
    IF older_than IS NULL OR older_than > now() - interval '1 day' OR who IS NULL THEN
        RAISE EXCEPTION 'What is younger than a day is not dropped: %.', older_than
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (
        SELECT FROM ops.event_partitions AS p
        INNER JOIN ops.event_partitions AS e
            ON p.topic = e.topic AND p.epoch = e.epoch
            AND p.kafka_partition = e.kafka_partition
        WHERE p.event_partition_id = partition_id
            AND e.from_offset < p.from_offset AND e.dropped_dt IS NULL
    ) THEN
        RETURN 'an older partition of its log is kept';
    END IF;
    reason := stg.why_kept(partition_id, older_than);
    IF reason IS NOT NULL THEN
        RETURN reason;
    END IF;
    -- No new table may ask for the history meanwhile, and no stage be in it.
    PERFORM pg_advisory_xact_lock(hashtextextended('palate migrate', 0));
    LOCK TABLE stg.order_events IN ACCESS EXCLUSIVE MODE;
    reason := stg.why_kept(partition_id, NULL);
    IF reason IS NOT NULL THEN
        RETURN reason;
    END IF;
    size := pg_total_relation_size(format('stg.order_events_%s', partition_id));
    EXECUTE format(
        'SELECT e.broker_dt FROM stg.order_events_%s AS e ORDER BY e.topic DESC,'
        ' e.epoch DESC, e.kafka_partition DESC, e.kafka_offset DESC LIMIT 1',
        partition_id
    ) INTO newest;
    UPDATE ops.event_partitions AS e
    SET dropped_dt = now(), dropped_by = who, dropped_bytes = size,
        last_broker_dt = newest
    WHERE e.event_partition_id = partition_id;
    EXECUTE format('DROP TABLE stg.order_events_%s', partition_id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION stg.drop_partition(bigint, timestamptz, text) IS
'Drop a partition whose messages are all older, if nothing needs them any more, and '
'note it; else return why not. Readers wait meanwhile: set lock_timeout.';

CREATE FUNCTION ops.prune(before timestamptz)
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
END
$$;
COMMENT ON FUNCTION ops.prune(timestamptz) IS
'Delete what the ledger tells of runs before a time, but for the newest of each '
'stage; return how many rows of each table.';

CREATE INDEX batches_stage ON ops.batches (stage, batch_id);

CREATE TABLE ops.refused_incidents (
    refused_incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_batch_id bigint NOT NULL,
    began_dt timestamptz NOT NULL,
    message text NOT NULL,
    ended_batch_id bigint,
    ended_dt timestamptz,
    CHECK (num_nonnulls(ended_batch_id, ended_dt) IN (0, 2))
);
CREATE UNIQUE INDEX refused_incidents_one_open
ON ops.refused_incidents ((TRUE)) WHERE ended_dt IS NULL;
COMMENT ON TABLE ops.refused_incidents IS
'Times in which much of what came was refused: the batch after which the alarm was '
'raised, and the one after which the share was small again.';

CREATE TABLE ops.refused_judged (
    last_batch_id bigint NOT NULL
);
CREATE UNIQUE INDEX refused_judged_one_row ON ops.refused_judged ((TRUE));
COMMENT ON TABLE ops.refused_judged IS
'Up to which batch of the vault the share of refused messages was looked at.';
INSERT INTO ops.refused_judged (last_batch_id)
SELECT coalesce(max(batch_id), 0) FROM ops.batches;
DROP INDEX ops.stage_runs_running;

REVOKE ALL ON FUNCTION
stg.make_room(text, integer, integer, bigint, bigint, bigint),
stg.why_kept(bigint, timestamptz),
stg.drop_partition(bigint, timestamptz, text),
ops.prune(timestamptz)
FROM public;

SELECT
    stg.make_room(
        topic, epoch, kafka_partition, min(kafka_offset), max(kafka_offset) + 1, 1000000
    )
FROM stg.order_events_unpartitioned
GROUP BY topic, epoch, kafka_partition;
INSERT INTO stg.order_events (
    topic,
    epoch,
    kafka_partition,
    kafka_offset,
    broker_dt,
    message,
    kafka_key,
    headers,
    staged_dt
)
SELECT
    topic,
    epoch,
    kafka_partition,
    kafka_offset,
    broker_dt,
    message,
    kafka_key,
    headers,
    staged_dt
FROM stg.order_events_unpartitioned;
DROP TABLE stg.order_events_unpartitioned;

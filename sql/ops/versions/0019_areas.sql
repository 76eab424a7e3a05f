-- Let stages have areas: each log belongs to the area whose stage brings it in.
ALTER TABLE ops.definitions
ADD COLUMN area text COLLATE "C" NOT NULL DEFAULT 'food';
ALTER TABLE ops.definitions ALTER COLUMN area DROP DEFAULT;
COMMENT ON COLUMN ops.definitions.area IS
'The folder below sql/areas that has the definition.';

ALTER TABLE ops.replays
ADD COLUMN feed text COLLATE "C" NOT NULL DEFAULT 'replays',
DROP CONSTRAINT replays_pkey,
ADD PRIMARY KEY (feed, replay_offset);
ALTER TABLE ops.replays ALTER COLUMN feed DROP DEFAULT;
COMMENT ON COLUMN ops.replays.feed IS
'The feed that numbers it: each area has its own.';

DROP INDEX ops.refused_judged_one_row;
ALTER TABLE ops.refused_judged
ADD COLUMN stage text COLLATE "C" PRIMARY KEY DEFAULT 'vault';
ALTER TABLE ops.refused_judged ALTER COLUMN stage DROP DEFAULT;
COMMENT ON TABLE ops.refused_judged IS
'Up to which batch of each vault stage the share of refused messages was checked.';

COMMENT ON TABLE ops.stages IS
'The stages that keep watermarks, by their names in the ledger: whose positions each '
'takes (those that bring positions in take none), whether it needs the messages in '
'STG, whether it may be switched off. Those of an area that is off stay.';
-- What must hold before `palate migrate` has come so far.
INSERT INTO ops.stages (stage, area, upstream, reads_staging, is_optional)
VALUES
('drain', 'food', '{}', FALSE, FALSE),
('dictionaries', 'food', '{}', FALSE, FALSE),
('replays', 'food', '{}', FALSE, FALSE)
ON CONFLICT (stage) DO NOTHING;

CREATE FUNCTION ops.area_of(log_topic text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.area
    FROM ops.watermarks AS w
    INNER JOIN ops.stages AS s ON w.stage = s.stage
    WHERE w.topic = log_topic AND s.upstream = '{}'
    LIMIT 1
$$;
COMMENT ON FUNCTION ops.area_of(text) IS
'The area that a topic or feed belongs to: that of the stage that brings it in.';

CREATE FUNCTION ops.rebuilt_stage(vault_stage text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT regexp_replace(vault_stage, 'vault$', 'rebuild:vault')
$$;
COMMENT ON FUNCTION ops.rebuilt_stage(text) IS
'The stage that fills the new tables of a rebuild, beside one that loads the vault.';

CREATE OR REPLACE VIEW ops.v_filling AS
SELECT
    d.kind,
    d.name,
    coalesce(sum(w.next_offset - w.first_offset) FILTER (
        WHERE w.stage <> v.stage
    ), 0)::bigint AS done,
    coalesce(sum(w.next_offset - w.first_offset) FILTER (
        WHERE w.stage = v.stage
    ), 0)::bigint AS total
FROM ops.definitions AS d
LEFT JOIN ops.stages AS v ON d.area = v.area AND v.reads_staging
LEFT JOIN ops.watermarks AS w
    ON w.stage IN (
        v.stage, CASE WHEN d.kind = 'mart' THEN 'mart:' ELSE 'vault:' END || d.name
    )
WHERE d.filled_dt IS NULL
GROUP BY d.kind, d.name;

CREATE OR REPLACE FUNCTION ops.stages_at(
    log_topic text, log_epoch integer, log_partition integer
) RETURNS TABLE (stage text, next_offset bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH expected (stage) AS (
        SELECT s.stage FROM ops.stages AS s
        WHERE s.reads_staging AND coalesce(s.area = ops.area_of(log_topic), TRUE)
        UNION ALL
        SELECT 'vault:' || d.name FROM ops.definitions AS d
        WHERE d.kind <> 'mart' AND d.filled_dt IS NULL
            AND coalesce(d.area = ops.area_of(log_topic), TRUE)
    )
    SELECT e.stage, coalesce(w.next_offset, 0)
    FROM expected AS e
    LEFT JOIN ops.watermarks AS w
        ON e.stage = w.stage AND w.topic = log_topic AND w.epoch = log_epoch
        AND w.kafka_partition = log_partition
    UNION ALL
    SELECT w.stage, w.next_offset
    FROM ops.watermarks AS w
    WHERE w.topic = log_topic
        AND w.epoch = log_epoch AND w.kafka_partition = log_partition
        AND (w.stage LIKE '%rebuild:vault' OR w.stage IN (
            SELECT s.stage FROM ops.stages AS s
            WHERE s.upstream = '{}' AND NOT s.reads_staging
        ))
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
            WHERE w.stage IN (
                    SELECT s.stage FROM ops.stages AS s WHERE s.upstream = '{}'
                ) AND w.topic = p.topic AND w.epoch = p.epoch
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
            SELECT min(s.next_offset) FROM ops.stages_at(r.feed, 0, 0) AS s
        );
    IF number > 0 THEN
        RETURN format('%s not done yet', CASE number
            WHEN 1 THEN '1 replay that was asked for is'
            ELSE number || ' replays that were asked for are'
        END);
    END IF;
    SELECT count(*) INTO number FROM stg.rejected_messages AS m
    WHERE m.topic = p.topic AND m.epoch = p.epoch
        AND m.kafka_partition = p.kafka_partition
        AND m.kafka_offset >= p.from_offset AND m.kafka_offset < p.to_offset
        AND m.dismissed_dt IS NULL;
    IF number > 0 THEN
        RETURN format('%s neither replayed nor dismissed', CASE number
            WHEN 1 THEN '1 refused message is'
            ELSE number || ' refused messages are'
        END);
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
    WHERE w.stage IN (
            SELECT s.stage FROM ops.stages AS s WHERE s.upstream = '{}'
        ) AND w.topic = log_topic AND w.epoch = log_epoch
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

CREATE OR REPLACE FUNCTION ops.begin_rebuild(
    for_dag_id text, for_run_id text, from_statements text
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    living oid[];
    what text;
    item record;
BEGIN
    -- No migration, no retention, and no other rebuild begins meanwhile.
    PERFORM pg_advisory_xact_lock(hashtextextended('palate migrate', 0));
    UPDATE ops.rebuilds AS r SET dag_id = for_dag_id, run_id = for_run_id
    WHERE r.finished_dt IS NULL AND r.made_from = from_statements;
    IF FOUND THEN  -- one that was interrupted goes on
        RETURN FALSE;
    END IF;
    PERFORM ops.discard_rebuild();
    SELECT string_agg(
        format('%s[%s] up to offset %s', p.topic, p.kafka_partition, p.to_offset - 1),
        ', '
    ) INTO what
    FROM (
        SELECT e.topic, e.kafka_partition, max(e.to_offset) AS to_offset
        FROM ops.event_partitions AS e WHERE e.dropped_dt IS NOT NULL
        GROUP BY e.topic, e.epoch, e.kafka_partition
    ) AS p;
    IF what IS NOT NULL THEN
        RAISE EXCEPTION 'STG can no longer give all rows of the vault: retention has '
            'dropped the messages of %. So the vault stays as it is. A mart follows '
            'from the vault alone: `palate rebuild <mart>`.', what
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT string_agg(d.name, ', ') INTO what
    FROM ops.definitions AS d WHERE d.filled_dt IS NULL;
    IF what IS NOT NULL THEN
        RAISE EXCEPTION '% is still being filled from the history. Let orders_stream '
            'run until `palate status` no longer says so, then begin again.', what
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT array_agg(format('%I.%I', t.table_schema, t.table_name)::regclass::oid)
    INTO living FROM ops.rebuilt_tables() AS t;
    SELECT string_agg(x.what, ', ') INTO what FROM (
        SELECT format('the trigger %s on %s', g.tgname, g.tgrelid::regclass) AS what
        FROM pg_trigger AS g WHERE g.tgrelid = ANY(living)
        UNION ALL
        SELECT format('the policy %s on %s', y.polname, y.polrelid::regclass)
        FROM pg_policy AS y WHERE y.polrelid = ANY(living)
        UNION ALL
        SELECT format('the publication %s of %s', p.pubname, r.prrelid::regclass)
        FROM pg_publication_rel AS r
        INNER JOIN pg_publication AS p ON r.prpubid = p.oid
        WHERE r.prrelid = ANY(living)
        UNION ALL
        SELECT format(
            'the table %s under %s', h.inhrelid::regclass, h.inhparent::regclass
        )
        FROM pg_inherits AS h
        WHERE h.inhparent = ANY(living) OR h.inhrelid = ANY(living)
        UNION ALL
        SELECT format('the materialized view %s', v.view::regclass)
        FROM ops.views_on(living) AS v
        INNER JOIN pg_class AS c ON v.view = c.oid WHERE c.relkind = 'm'
    ) AS x;
    IF what IS NOT NULL THEN
        RAISE EXCEPTION 'A rebuild puts new tables in the place of the old ones, and '
            'would lose %. Drop it, and make it anew afterwards.', what
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    CREATE SCHEMA dds_rebuild;
    CREATE SCHEMA cdm_rebuild;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'palate_loader') THEN
        GRANT USAGE ON SCHEMA dds_rebuild, cdm_rebuild TO palate_loader;
    END IF;
    FOR item IN SELECT t.table_schema, t.table_name FROM ops.rebuilt_tables() AS t LOOP
        PERFORM ops.copy_empty(
            format('%I.%I', item.table_schema, item.table_name)::regclass,
            item.table_schema || '_rebuild'
        );
    END LOOP;
    FOR item IN
        SELECT c.relname, regexp_replace(
            pg_get_viewdef(c.oid), '\m(dds|cdm)\.', '\1_rebuild.', 'g'
        ) AS definition, c.relacl IS NOT NULL AS is_granted
        FROM ops.views_on(living) AS v
        INNER JOIN pg_class AS c ON v.view = c.oid
        WHERE c.relnamespace = 'dds'::regnamespace
        ORDER BY v.depth, c.relname
    LOOP
        EXECUTE format(
            'CREATE VIEW dds_rebuild.%I AS %s', item.relname, item.definition
        );
        IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'palate_loader') THEN
            EXECUTE format(
                'GRANT SELECT ON dds_rebuild.%I TO palate_loader', item.relname
            );
        END IF;
    END LOOP;
    -- With them retention keeps what the rebuild has not read yet.
    INSERT INTO ops.watermarks (
        stage, topic, epoch, kafka_partition, first_offset, next_offset, moved_dt
    )
    SELECT ops.rebuilt_stage(s.stage), w.topic, w.epoch, w.kafka_partition,
        w.first_offset,
        w.first_offset, now()
    FROM ops.watermarks AS w
    INNER JOIN ops.stages AS s ON w.stage = s.stage
    WHERE s.reads_staging;
    INSERT INTO ops.rebuilds (dag_id, run_id, made_from)
    VALUES (for_dag_id, for_run_id, from_statements);
    RETURN TRUE;
END
$$;

CREATE OR REPLACE FUNCTION ops.swap_rebuild() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    living oid[];
    names text;
    what text;
    views jsonb;
    item record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('palate migrate', 0));
    IF NOT EXISTS (
        SELECT FROM ops.rebuilds AS r WHERE r.finished_dt IS NULL
            AND (r.differing = 0 OR r.approved_dt >= r.compared_dt)
    ) THEN
        RAISE EXCEPTION 'There is no rebuild that was compared, and approved if it '
            'differs. Nothing was swapped.'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT string_agg(
        coalesce(t.table_name, c.relname), ', '
    ) INTO what
    FROM ops.rebuilt_tables() AS t
    FULL JOIN (
        SELECT b.relname, n.nspname FROM pg_class AS b
        INNER JOIN pg_namespace AS n ON b.relnamespace = n.oid
        WHERE n.nspname IN ('dds_rebuild', 'cdm_rebuild') AND b.relkind = 'r'
    ) AS c ON c.nspname = t.table_schema || '_rebuild' AND c.relname = t.table_name
    WHERE t.table_name IS NULL OR c.relname IS NULL;
    IF what IS NOT NULL THEN
        RAISE EXCEPTION '% came or went while the rebuild was under way. Begin anew.',
            what USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- First of all: a batch that is under way has committed by then, and the next
    -- statement sees it; one that waits for a table finds the new one by its name.
    SELECT
        array_agg(format('%I.%I', t.table_schema, t.table_name)::regclass::oid),
        string_agg(format('%I.%I', t.table_schema, t.table_name), ', ')
    INTO living, names FROM ops.rebuilt_tables() AS t;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', names);
    -- A log is in one area, so the vaults of all areas are one side.
    WITH sides (what, stage) AS (
        SELECT 'vault', s.stage FROM ops.stages AS s WHERE s.reads_staging
        UNION ALL
        SELECT 'vault', ops.rebuilt_stage(s.stage)
        FROM ops.stages AS s WHERE s.reads_staging
        UNION ALL
        SELECT 'mart:' || d.name, m.prefix || d.name
        FROM ops.definitions AS d, (VALUES ('mart:'), ('rebuild:')) AS m (prefix)
        WHERE d.kind = 'mart'
    ),

    reached AS (
        SELECT p.what AS stage, w.topic, w.epoch, w.kafka_partition, w.next_offset
        FROM sides AS p
        INNER JOIN ops.watermarks AS w ON p.stage = w.stage
        WHERE w.next_offset > w.first_offset
    )

    SELECT string_agg(DISTINCT r.stage, ', ') INTO what FROM (
        SELECT stage FROM reached
        GROUP BY stage, topic, epoch, kafka_partition, next_offset HAVING count(*) <> 2
    ) AS r;
    IF what IS NOT NULL THEN
        RAISE EXCEPTION 'The rebuilt tables are not where % stands. Run it again.', what
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT jsonb_agg(jsonb_build_object(
        'schema', n.nspname,
        'name', c.relname,
        'options', array_to_string(c.reloptions, ','),
        'definition', pg_get_viewdef(c.oid)
    ) ORDER BY v.depth) INTO views
    FROM ops.views_on(living) AS v
    INNER JOIN pg_class AS c ON v.view = c.oid
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid;
    CREATE SCHEMA palate_replaced;
    FOR item IN SELECT t.table_schema, t.table_name FROM ops.rebuilt_tables() AS t LOOP
        EXECUTE format('ALTER TABLE %I.%I SET SCHEMA palate_replaced',
            item.table_schema, item.table_name);
        EXECUTE format('ALTER TABLE %I.%I SET SCHEMA %I',
            item.table_schema || '_rebuild', item.table_name, item.table_schema);
    END LOOP;
    -- They are replaced and not made anew: grants, comments and what reads them stay.
    FOR item IN
        SELECT v.*, to_regclass(format('dds_rebuild.%I', v.name)) AS rebuilt
        FROM jsonb_to_recordset(views)
            AS v (schema text, name text, options text, definition text)
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE VIEW %I.%I %s AS %s', item.schema, item.name,
            'WITH (' || nullif(item.options, '') || ')',
            CASE
                WHEN item.schema = 'dds' AND item.rebuilt IS NOT NULL
                    THEN replace(pg_get_viewdef(item.rebuilt), 'dds_rebuild.', 'dds.')
                ELSE item.definition
            END
        );
    END LOOP;
    DROP SCHEMA dds_rebuild CASCADE;
    DROP SCHEMA cdm_rebuild CASCADE;
    FOR item IN SELECT t.table_name FROM ops.rebuilt_tables() AS t LOOP
        EXECUTE format('DROP TABLE palate_replaced.%I', item.table_name);
    END LOOP;
    DROP SCHEMA palate_replaced;
    INSERT INTO stg.rejected_messages (
        topic, epoch, kafka_partition, kafka_offset, reason, detail, rejected_dt
    )
    SELECT m.topic, m.epoch, m.kafka_partition, m.kafka_offset, m.reason, m.detail,
        m.rejected_dt
    FROM ops.rebuild_rejected AS m
    ON CONFLICT (topic, epoch, kafka_partition, kafka_offset) DO NOTHING;
    DELETE FROM ops.rebuild_rejected;
    DELETE FROM ops.watermarks AS w WHERE w.stage ~ '^([a-z0-9_]+/)?rebuild:';
    UPDATE ops.rebuilds AS r SET finished_dt = clock_timestamp(), outcome = 'swapped'
    WHERE r.finished_dt IS NULL;
END
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
            FROM ops.stages AS s
            LEFT JOIN ops.watermarks AS w
                ON w.stage = s.stage AND w.topic = r.feed
                AND w.epoch = 0 AND w.kafka_partition = 0
            WHERE s.area = ops.area_of(r.feed) AND s.upstream <> '{}' AND (
                NOT s.is_optional
                -- What has not moved since then is switched off.
                OR EXISTS (
                    SELECT FROM ops.watermarks AS m
                    WHERE m.stage = s.stage AND m.moved_dt >= before
                )
            )
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

CREATE OR REPLACE FUNCTION ops.discard_rebuild() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DROP SCHEMA IF EXISTS dds_rebuild CASCADE;
    DROP SCHEMA IF EXISTS cdm_rebuild CASCADE;
    DELETE FROM ops.watermarks AS w WHERE w.stage ~ '^([a-z0-9_]+/)?rebuild:';
    DELETE FROM ops.rebuild_rejected;
    UPDATE ops.rebuilds AS r SET finished_dt = clock_timestamp(), outcome = 'discarded'
    WHERE r.finished_dt IS NULL;
END
$$;

-- Let a swap lock the tables before it compares how far they are.
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
    WITH pairs (living, rebuilt) AS (
        SELECT 'vault', 'rebuild:vault'
        UNION ALL
        SELECT 'mart:' || d.name, 'rebuild:' || d.name
        FROM ops.definitions AS d WHERE d.kind = 'mart'
    ),

    reached AS (
        SELECT p.living AS stage, w.topic, w.epoch, w.kafka_partition, w.next_offset
        FROM pairs AS p
        INNER JOIN ops.watermarks AS w ON w.stage IN (p.living, p.rebuilt)
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
    DELETE FROM ops.watermarks AS w WHERE w.stage LIKE 'rebuild:%';
    UPDATE ops.rebuilds AS r SET finished_dt = clock_timestamp(), outcome = 'swapped'
    WHERE r.finished_dt IS NULL;
END
$$;
COMMENT ON FUNCTION ops.swap_rebuild() IS
'Put the tables of a rebuild in the place of the living ones, which are dropped. The '
'stages must stand still meanwhile; readers wait: set lock_timeout.';


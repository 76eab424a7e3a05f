-- Make what building the vault and the marts anew, beside the living ones, needs.
CREATE TABLE ops.rebuilds (
    rebuild_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id text NOT NULL,
    run_id text NOT NULL,
    made_from text NOT NULL,
    begun_dt timestamptz NOT NULL DEFAULT clock_timestamp(),
    compared_dt timestamptz,
    differing bigint,
    report text,
    approved_dt timestamptz,
    finished_dt timestamptz,
    outcome text CHECK (outcome IN ('swapped', 'discarded')),
    CHECK (num_nonnulls(compared_dt, differing, report) IN (0, 3)),
    CHECK (num_nonnulls(finished_dt, outcome) IN (0, 2))
);
CREATE UNIQUE INDEX rebuilds_one_open ON ops.rebuilds ((TRUE))
WHERE finished_dt IS NULL;
COMMENT ON TABLE ops.rebuilds IS
'When vault and marts were built anew from STG, what was found to differ, and whether '
'the new tables took the place of the old ones. made_from tells the statements.';

CREATE TABLE ops.rebuild_tables (
    rebuild_id bigint NOT NULL REFERENCES ops.rebuilds ON DELETE CASCADE,
    table_name text COLLATE "C" NOT NULL,
    is_redefined boolean NOT NULL,
    living bigint NOT NULL,
    rebuilt bigint NOT NULL,
    missing bigint NOT NULL,
    extra bigint NOT NULL,
    changed bigint NOT NULL,
    examples jsonb NOT NULL,
    PRIMARY KEY (rebuild_id, table_name)
);
COMMENT ON TABLE ops.rebuild_tables IS
'What a rebuild found in each table: rows that the living one lacked, had too many, or '
'had with other values. A table that is_redefined has other columns, and all differ.';

CREATE TABLE ops.rebuild_rejected (
    topic text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    rejected_dt timestamptz NOT NULL,
    PRIMARY KEY (topic, epoch, kafka_partition, kafka_offset)
);
COMMENT ON TABLE ops.rebuild_rejected IS
'Messages that were orders once and that the rebuild under way refuses.';

-- Marts have not noted until now when they were filled.
UPDATE ops.definitions SET filled_dt = created_dt
WHERE kind = 'mart' AND filled_dt IS NULL;

CREATE VIEW ops.v_filling AS
SELECT
    d.kind,
    d.name,
    coalesce(sum(w.next_offset - w.first_offset) FILTER (
        WHERE w.stage <> 'vault'
    ), 0)::bigint AS done,
    coalesce(sum(w.next_offset - w.first_offset) FILTER (
        WHERE w.stage = 'vault'
    ), 0)::bigint AS total
FROM ops.definitions AS d
LEFT JOIN ops.watermarks AS w
    ON w.stage IN (
        'vault', CASE WHEN d.kind = 'mart' THEN 'mart:' ELSE 'vault:' END || d.name
    )
WHERE d.filled_dt IS NULL
GROUP BY d.kind, d.name;
COMMENT ON VIEW ops.v_filling IS
'Tables that are new and do not have the whole history yet: how many positions of all '
'are in them. Until a table has left this view it lacks rows, or counts too little.';

CREATE FUNCTION ops.rebuilt_tables()
RETURNS TABLE (table_schema text, table_name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE d.kind WHEN 'mart' THEN 'cdm' ELSE 'dds' END, t.name
    FROM ops.definitions AS d
    CROSS JOIN LATERAL (
        VALUES
        (d.name),
        (CASE WHEN d.kind = 'mart' THEN d.name || '_counted' END),
        (CASE WHEN d.kind = 'mart' THEN d.definition #>> '{reference,table}' END)
    ) AS t (name)
    WHERE t.name IS NOT NULL
    ORDER BY 1 DESC, 2
$$;
COMMENT ON FUNCTION ops.rebuilt_tables() IS
'The tables of the vault and of the marts: those that a rebuild builds anew.';

CREATE FUNCTION ops.views_on(tables oid[]) RETURNS TABLE (view oid, depth integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE uses (used, view) AS (
        SELECT d.refobjid, r.ev_class
        FROM pg_depend AS d
        INNER JOIN pg_rewrite AS r ON d.objid = r.oid
        WHERE d.classid = 'pg_rewrite'::regclass
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    ),

    found (view, depth) AS (
        SELECT u.view, 1 FROM uses AS u WHERE u.used = ANY(tables)
        UNION
        SELECT u.view, f.depth + 1 FROM found AS f
        INNER JOIN uses AS u ON f.view = u.used
    )

    SELECT f.view, max(f.depth) FROM found AS f GROUP BY f.view
$$;
COMMENT ON FUNCTION ops.views_on(oid[]) IS
'The views that read tables, also through other views, which have a lesser depth.';

CREATE FUNCTION ops.discard_rebuild() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DROP SCHEMA IF EXISTS dds_rebuild CASCADE;
    DROP SCHEMA IF EXISTS cdm_rebuild CASCADE;
    DELETE FROM ops.watermarks AS w WHERE w.stage LIKE 'rebuild:%';
    DELETE FROM ops.rebuild_rejected;
    UPDATE ops.rebuilds AS r SET finished_dt = clock_timestamp(), outcome = 'discarded'
    WHERE r.finished_dt IS NULL;
END
$$;
COMMENT ON FUNCTION ops.discard_rebuild() IS
'Drop what a rebuild has made beside the living tables, which stay as they are.';

CREATE FUNCTION ops.copy_empty(old regclass, into_schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new text;
    item record;
BEGIN
    SELECT format('%I.%I', into_schema, c.relname) INTO new
    FROM pg_class AS c WHERE c.oid = old;
    EXECUTE format(
        'CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES)', new, old
    );
    FOR item IN
        SELECT format(
            'ALTER TABLE %s SET (%s)', new, array_to_string(c.reloptions, ',')
        )
        AS statement
        FROM pg_class AS c WHERE c.oid = old AND c.reloptions IS NOT NULL
        UNION ALL
        SELECT format('ALTER TABLE %s OWNER TO %I', new, pg_get_userbyid(c.relowner))
        FROM pg_class AS c
        WHERE c.oid = old AND pg_get_userbyid(c.relowner) <> current_user
        UNION ALL
        SELECT format(
            'COMMENT ON TABLE %s IS %L', new, obj_description(old, 'pg_class')
        )
        WHERE obj_description(old, 'pg_class') IS NOT NULL
        UNION ALL
        SELECT format(
            'ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', new, a.attname,
            a.attstattarget
        )
        FROM pg_attribute AS a
        WHERE a.attrelid = old AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attstattarget >= 0
        UNION ALL
        SELECT format(
            'GRANT %s ON %s TO %s%s', g.privilege_type, new,
            CASE g.grantee WHEN 0 THEN 'public' ELSE g.grantee::regrole::text END,
            CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END
        )
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
        WHERE c.oid = old AND g.grantee <> c.relowner
        UNION ALL
        SELECT format(
            'GRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, new,
            CASE g.grantee WHEN 0 THEN 'public' ELSE g.grantee::regrole::text END,
            CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END
        )
        FROM pg_attribute AS a CROSS JOIN LATERAL aclexplode(a.attacl) AS g
        WHERE a.attrelid = old AND NOT a.attisdropped
    LOOP
        EXECUTE item.statement;
    END LOOP;
    FOR item IN
        SELECT
            c.relname,
            i.indisprimary,
            k.conname,
            k.oid IS NOT NULL AS is_constraint,
            -- Only its table has a schema there, and it stands after ON.
            regexp_replace(
                pg_get_indexdef(i.indexrelid), ' ON (ONLY )?\S+ ', ' ON ' || new || ' '
            ) AS definition,
            obj_description(i.indexrelid, 'pg_class') AS description
        FROM pg_index AS i
        INNER JOIN pg_class AS c ON i.indexrelid = c.oid
        LEFT JOIN pg_constraint AS k
            ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u')
        WHERE i.indrelid = old AND i.indisvalid
        ORDER BY i.indexrelid
    LOOP
        EXECUTE item.definition;
        IF item.is_constraint THEN
            EXECUTE format(
                'ALTER TABLE %s ADD CONSTRAINT %I %s USING INDEX %I', new, item.conname,
                CASE WHEN item.indisprimary THEN 'PRIMARY KEY' ELSE 'UNIQUE' END,
                item.relname
            );
        END IF;
        IF item.description IS NOT NULL THEN
            EXECUTE format(
                'COMMENT ON INDEX %I.%I IS %L', into_schema, item.relname,
                item.description
            );
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION ops.copy_empty(regclass, name) IS
'Make an empty table like another one, in another schema, by the same name, with the '
'same indexes, constraints, options, comments, owner and grants.';

CREATE FUNCTION ops.begin_rebuild(
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
    SELECT 'rebuild:vault', w.topic, w.epoch, w.kafka_partition, w.first_offset,
        w.first_offset, now()
    FROM ops.watermarks AS w WHERE w.stage = 'vault';
    INSERT INTO ops.rebuilds (dag_id, run_id, made_from)
    VALUES (for_dag_id, for_run_id, from_statements);
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION ops.begin_rebuild(text, text, text) IS
'Make empty tables beside the living ones of the vault and the marts; or return false '
'if a rebuild by the same statements was interrupted, and goes on.';

CREATE FUNCTION ops.analyze_rebuild() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT n.nspname, c.relname FROM pg_class AS c
        INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
        WHERE n.nspname IN ('dds_rebuild', 'cdm_rebuild') AND c.relkind = 'r'
    LOOP
        EXECUTE format('ANALYZE %I.%I', item.nspname, item.relname);
    END LOOP;
END
$$;
COMMENT ON FUNCTION ops.analyze_rebuild() IS
'Give the tables of a rebuild the statistics that the planner needs.';

CREATE FUNCTION ops.swap_rebuild() RETURNS void
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
    SELECT
        array_agg(format('%I.%I', t.table_schema, t.table_name)::regclass::oid),
        string_agg(format('%I.%I', t.table_schema, t.table_name), ', ')
    INTO living, names FROM ops.rebuilt_tables() AS t;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', names);
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

REVOKE ALL ON FUNCTION
ops.copy_empty(regclass, name),
ops.begin_rebuild(text, text, text),
ops.analyze_rebuild(),
ops.swap_rebuild(),
ops.discard_rebuild()
FROM public;

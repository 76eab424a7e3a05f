-- A mart by key has one table: what is in it follows from the vault alone.
CREATE OR REPLACE FUNCTION ops.rebuilt_tables()
RETURNS TABLE (table_schema text, table_name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE d.kind WHEN 'mart' THEN 'cdm' ELSE 'dds' END, t.name
    FROM ops.definitions AS d
    CROSS JOIN LATERAL (
        VALUES
        (d.name),
        (
            CASE
                WHEN
                    d.kind = 'mart'
                    AND d.definition ->> 'kind' IS DISTINCT FROM 'by_key'
                    THEN d.name || '_counted'
            END
        ),
        (CASE WHEN d.kind = 'mart' THEN d.definition #>> '{reference,table}' END)
    ) AS t (name)
    WHERE t.name IS NOT NULL
    ORDER BY 1 DESC, 2
$$;

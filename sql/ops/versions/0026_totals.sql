-- Sums of a mart move with it, and follow from it: they are made anew at any time.
CREATE TABLE ops.totals (
    table_name text PRIMARY KEY,
    mart text NOT NULL,
    definition jsonb NOT NULL,
    filled_dt timestamptz
);
COMMENT ON TABLE ops.totals IS
'The tables of sums that each mart keeps in cdm, and what each was made from. Without '
'filled_dt the end of the mart''s next run sums them anew.';

-- Totals go with their mart.
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
    UNION ALL
    SELECT 'cdm', s.table_name
    FROM ops.totals AS s
    ORDER BY 1 DESC, 2
$$;

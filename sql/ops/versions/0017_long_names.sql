-- Let no index refuse a long text: a B-tree takes at most 2,704 bytes, and a name of
-- 1,000 characters may have 4,000. A message with one would stop its stage, a tag all.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT
            i.indexrelid::regclass AS named,
            i.indrelid::regclass AS of_table,
            a.attname AS of_column,
            n.nspname LIKE 'cdm%' AS is_replaced
        FROM pg_index AS i
        INNER JOIN pg_class AS t ON i.indrelid = t.oid
        INNER JOIN pg_namespace AS n ON t.relnamespace = n.oid
        INNER JOIN pg_class AS c ON i.indexrelid = c.oid
        INNER JOIN pg_am AS m ON c.relam = m.oid
        INNER JOIN pg_attribute AS a
            ON i.indrelid = a.attrelid AND a.attnum = i.indkey[0]
        WHERE
            m.amname = 'btree'
            AND NOT i.indisunique
            AND i.indnatts = 1
            AND i.indpred IS NULL
            AND a.atttypid = 'text'::regtype
            -- Those of Palate's own; a rebuild may be on its way.
            AND (
                n.nspname IN ('cdm', 'cdm_rebuild')
                OR (
                    n.nspname IN ('dds', 'dds_rebuild')
                    AND t.relname = 'h_category'
                    AND a.attname = 'category_name'
                )
            )
    LOOP
        EXECUTE format('DROP INDEX %s', found.named);
        IF found.is_replaced THEN
            EXECUTE format(
                'CREATE INDEX ON %s USING hash (%I)', found.of_table, found.of_column
            );
        END IF;
    END LOOP;
END
$$;

-- Rules that are there already are left as they are.
ALTER TABLE cdm.tag_rules
ADD CONSTRAINT tag_rules_tag_is_short CHECK (char_length(tag) <= 500) NOT VALID;
